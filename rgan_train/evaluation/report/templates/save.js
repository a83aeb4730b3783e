// --- Figures as files -----------------------------------------------------------------------

/** Pixels of a PNG for each CSS pixel: about 400 dpi at the width of a printed page. */
const DOTS = 4;

/** Empty pixels around a figure. */
const MARGIN = 8;

/** Part of a line's height that is above the base line. */
const ASCENT = 0.81;

/** What a drawing has from the style sheet. */
const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "font-size", "font-weight", "text-anchor"];

const round = (length) => Number(length.toFixed(2));

/** Copy an SVG with its styles as attributes, since a file has no style sheet. */
function copyDrawing(original, place) {
  const copy = original.cloneNode(true);
  const copies = [copy, ...copy.querySelectorAll("*")];
  [original, ...original.querySelectorAll("*")].forEach((element, number) => {
    const own = getComputedStyle(element);
    const inherited = element === original ? {} : getComputedStyle(element.parentElement);
    copies[number].removeAttribute("class");
    for (const name of STYLES) {
      if (own[name] === inherited[name]) copies[number].removeAttribute(name);
      else copies[number].setAttribute(name, own[name]);
    }
  });
  return fill(copy, place, []);
}

/** Return the lines of a text as they are broken on the page, and their places. */
function linesOf(text) {
  const lines = [];
  const range = document.createRange();
  let end = 0;
  for (const { 0: word, index } of text.data.matchAll(/[^\s-]+-*|-+/g)) {
    range.setStart(text, index);
    range.setEnd(text, index + word.length);
    const box = range.getBoundingClientRect();
    const last = lines.at(-1);
    if (last && Math.abs(last.top - box.top) < 2) {
      last.text += (index > end ? " " : "") + word;
      last.right = box.right;
    } else {
      lines.push({ text: word, top: box.top, height: box.height, left: box.left, right: box.right });
    }
    end = index + word.length;
  }
  return lines;
}

function copyText(text, origin) {
  const style = getComputedStyle(text.parentElement);
  const [anchor, part] = { center: ["middle", 0.5], right: ["end", 1] }[style.textAlign] || ["start", 0];
  return linesOf(text).map((line) => draw("text", {
    x: round(line.left + part * (line.right - line.left) - origin.left),
    y: round(line.top + ASCENT * line.height - origin.top),
    "text-anchor": anchor,
    "font-size": style.fontSize,
    "font-weight": style.fontWeight,
    fill: style.color,
  }, line.text));
}

/** Return what an element of the page shows, as elements of an SVG. */
function copyShown(node, origin) {
  if (node.nodeType === Node.TEXT_NODE) return copyText(node, origin);
  if (!(node instanceof Element) || node.matches(".screen") || !node.getClientRects().length) return [];
  const { left, top, width, height } = node.getBoundingClientRect();
  const place = { x: round(left - origin.left), y: round(top - origin.top), width, height };
  if (node instanceof SVGElement) return [copyDrawing(node, place)];
  if (node instanceof HTMLImageElement) return [draw("image", { ...place, href: node.src })];
  if (node instanceof HTMLCanvasElement) return [draw("image", { ...place, href: node.toDataURL() })];
  const { backgroundColor } = getComputedStyle(node);
  const back = backgroundColor === "rgba(0, 0, 0, 0)" ? [] : [draw("rect", { ...place, fill: backgroundColor })];
  return [...back, ...[...node.childNodes].flatMap((child) => copyShown(child, origin))];
}

/** Return a figure as an SVG that needs nothing else: in light colors, as wide as a printed page. */
function drawFigure(figure) {
  layOut(true);
  try {
    const parts = [...figure.children].filter((part) => !part.matches(".screen"));
    const { left, top, width: inner } = figure.getBoundingClientRect();
    const bottom = Math.max(...parts.map((part) => part.getBoundingClientRect().bottom));
    const [width, height] = [inner, bottom - top].map((size) => Math.ceil(size) + 2 * MARGIN);
    return draw("svg",
      { viewBox: `0 0 ${width} ${height}`, width, height, "font-family": getComputedStyle(figure).fontFamily },
      draw("rect", { width, height, fill: "#ffffff" }),
      ...parts.flatMap((part) => copyShown(part, { left: left - MARGIN, top: top - MARGIN })));
  } finally {
    layOut(false);
  }
}

async function asPng(svg, text) {
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = make("canvas", {
    width: Math.round(DOTS * svg.getAttribute("width")),
    height: Math.round(DOTS * svg.getAttribute("height")),
  });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => { canvas.toBlob(done, "image/png"); });
}

async function save(figure, kind) {
  const svg = drawFigure(figure);
  const text = new XMLSerializer().serializeToString(svg);
  const blob = kind === "svg" ? new Blob([text], { type: "image/svg+xml" }) : await asPng(svg, text);
  const address = URL.createObjectURL(blob);
  make("a", { href: address, download: `${figure.dataset.name}.${kind}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

for (const button of document.querySelectorAll("[data-save]")) {
  const figure = button.closest("figure[data-name]");
  button.setAttribute("aria-label", `Save as ${button.textContent}: ${figure.dataset.name}`);
  button.addEventListener("click", () => save(figure, button.dataset.save));
}
