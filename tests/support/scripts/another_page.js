// While its sounds are loaded, a page has its heading already, and no use for keys.
(heading) => document.querySelector("h1").innerText !== heading
  && !document.querySelector("main.loading")
