"""One file fetched over HTTP: resumed, checked, placed in one piece.

What comes is written to ``.NAME.partial`` beside the target, and fetchers of one file take turns
by holding it. A fetcher that is killed leaves nothing else (and ``.NAME.tag.partial``, if the
server tells versions of the file apart), and the next one goes on from there.
"""

from snacbench.download.fetch import fetch_file
from snacbench.download.http import Patience, ask_about, offline
from snacbench.download.progress import Progress, Silent

__all__ = ["Patience", "Progress", "Silent", "ask_about", "fetch_file", "offline"]
