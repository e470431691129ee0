// The second that the page's clock shows, and its latest, once it went back.
() => {
  const now = parseFloat(document.querySelector(".clock").innerText);
  const back = now < (window.last ?? 0);
  window.most = Math.max(window.most ?? 0, window.last = now);
  return back && [now, window.most];
}
