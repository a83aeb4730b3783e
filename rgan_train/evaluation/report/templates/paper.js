// --- The page on paper ----------------------------------------------------------------------

/** Lay the page out as it is printed, or as the screen shows it; charts are drawn anew for its width. */
function layOut(onPaper) {
  document.documentElement.classList.toggle("paper", onPaper);
  dispatchEvent(new Event("layout"));
}

addEventListener("beforeprint", () => layOut(true));
addEventListener("afterprint", () => layOut(false));
