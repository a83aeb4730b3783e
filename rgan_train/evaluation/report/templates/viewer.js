// --- Viewer ---------------------------------------------------------------------------------

const [lowest, highest] = data.qualityRange;
const WINDOWS = {
  "lung (−600/1500)": [-1350, 150],
  "soft tissue (40/400)": [-160, 240],
  "bone (450/1500)": [-300, 1200],
  [`whole (${lowest} to ${highest})`.replace("-", "−")]: [lowest, highest],
};
const BELOW = [74, 168, 255];
const ABOVE = [255, 166, 43];
const OUTLINES = ["#ffd24a", "#6fe3c1", "#ff8fc7", "#8fb8ff", "#ff9d6b", "#c3f06b"];
const viewer = {
  slice: Math.floor(data.viewer.slices.length / 2), window: Object.keys(WINDOWS)[0], limit: 100, groups: new Set(), at: null,
  variants: ["input", data.best, "target"],
};

async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Int16Array(await new Response(stream).arrayBuffer());
}

const pixelCache = new Map();
function pixels(slice, variant) {
  const key = `${slice.number} ${variant}`;
  if (!pixelCache.has(key)) pixelCache.set(key, inflate(variant === "target" ? slice.target : slice.differences[variant]));
  return pixelCache.get(key);
}

/** Make an image of values; `paint` writes a value as red, green and blue. */
function raster(slice, values, paint) {
  const image = new ImageData(slice.columns, slice.rows);
  image.data.fill(255);
  values.forEach((value, i) => paint(image.data, 4 * i, value));
  const canvas = new OffscreenCanvas(slice.columns, slice.rows);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

const gray = ([lower, upper]) => (pixels, i, hu) => {
  pixels[i] = pixels[i + 1] = pixels[i + 2] = ((hu - lower) / (upper - lower)) * 255;
};

const diverging = (limit) => (pixels, i, difference) => {
  const part = Math.min(1, Math.abs(difference) / limit);
  const end = difference < 0 ? BELOW : ABOVE;
  for (let channel = 0; channel < 3; channel += 1) pixels[i + channel] = end[channel] * part;
};

/** An image on the page with its magnifier. */
class View {
  constructor() {
    this.canvas = make("canvas");
    this.lens = make("canvas", { class: "lens", hidden: "" });
    this.area = make("div", { class: "area", tabindex: 0, role: "img" }, this.canvas, this.lens);
    this.detail = make("p", { class: "detail" });
    this.element = make("div", {}, this.area, this.detail);
    this.area.addEventListener("pointermove", (event) => {
      const box = this.canvas.getBoundingClientRect();
      magnify({
        x: ((event.clientX - box.left) / box.width) * this.raster.width,
        y: ((event.clientY - box.top) / box.height) * this.raster.height,
      });
    });
    this.area.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") magnify(null); });
    this.area.addEventListener("keydown", moveMagnifier);
  }

  show(slice, values, label, paint) {
    this.values = values;
    this.label = label;
    this.raster = raster(slice, values, paint);
    this.outlines = data.groups
      .map((name, i) => [name, slice.outlines[name], OUTLINES[i % OUTLINES.length]])
      .filter(([name, path]) => path && viewer.groups.has(name));
    this.area.setAttribute("aria-label", `${label}, slice ${slice.number}; arrow keys move the magnifier`);
    this.paint();
  }

  paint() {
    const { canvas, raster } = this;
    canvas.width = Math.max(Math.round(canvas.clientWidth * devicePixelRatio), raster.width);
    canvas.height = Math.round((canvas.width * raster.height) / raster.width);
    this.paintOn(canvas, canvas.width / raster.width, 0, 0);
    this.magnify(viewer.at);
  }

  magnify(at) {
    const { lens, canvas, raster, values, label } = this;
    lens.hidden = !at;
    this.detail.textContent = label;
    if (!at) return;
    const [x, y] = [Math.floor(at.x), Math.floor(at.y)];
    this.detail.textContent = `${label}: ${formatNumber(values[y * raster.width + x], 5)} HU at ${x}, ${y}`;
    lens.style.left = `${(at.x / raster.width) * 100}%`;
    lens.style.top = `${(at.y / raster.height) * 100}%`;
    lens.width = lens.height = lens.clientWidth * devicePixelRatio;
    const zoom = Math.max(4 * devicePixelRatio, (2.5 * canvas.width) / raster.width);
    this.paintOn(lens, zoom, lens.width / 2 - at.x * zoom, lens.height / 2 - at.y * zoom);
  }

  paintOn(canvas, zoom, left, top) {
    const context = canvas.getContext("2d");
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.setTransform(zoom, 0, 0, zoom, left, top);
    context.imageSmoothingEnabled = canvas === this.canvas;
    context.drawImage(this.raster, 0, 0);
    context.lineWidth = (1.3 * canvas.width) / (canvas.clientWidth || canvas.width) / zoom;
    for (const [, path, stroke] of this.outlines) {
      context.strokeStyle = stroke;
      context.stroke(new Path2D(path));
    }
  }
}

const currentSlice = () => data.viewer.slices[viewer.slice];

/** A variant of the slice, and its difference from the target. */
class Pane {
  constructor(number) {
    this.number = number;
    this.whole = new View();
    this.error = new View();
    const options = ["target", ...data.methods].map((name) => [name, name]);
    if (number === 2) options.push(["", "no third image"]);
    const label = choice(`viewer.image${number + 1}`, "", options, viewer.variants, number, () => this.show());
    label.className = "screen";
    label.lastChild.setAttribute("aria-label", `Image ${number + 1}`);
    this.element = make("div", { class: "pane" }, label, this.whole.element, this.error.element);
  }

  async show() {
    const slice = currentSlice();
    const variant = viewer.variants[this.number];
    const isTarget = variant === "target";
    this.whole.element.hidden = !variant;
    this.error.element.hidden = !variant || isTarget;
    if (!variant) return;
    const target = await pixels(slice, "target");
    const difference = isTarget ? null : await pixels(slice, variant);
    if (variant !== viewer.variants[this.number] || slice !== currentSlice()) return; // another was chosen
    const hu = isTarget ? target : target.map((value, i) => value + difference[i]);
    this.whole.show(slice, hu, variant, gray(WINDOWS[viewer.window]));
    if (!isTarget) this.error.show(slice, difference, `${variant} − target`, diverging(viewer.limit));
  }

  get views() {
    return [this.whole, this.error].filter((view) => view.raster && !view.element.hidden);
  }
}

function magnify(at) {
  const { rows, columns } = currentSlice();
  const inside = (value, size) => Math.max(0, Math.min(size - 1, value));
  viewer.at = at && { x: inside(at.x, columns), y: inside(at.y, rows) };
  for (const pane of panes) pane.views.forEach((view) => view.magnify(viewer.at));
}

function moveMagnifier(event) {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!step && event.key !== "Escape") return;
  event.preventDefault();
  const { rows, columns } = currentSlice();
  const at = viewer.at || { x: columns / 2, y: rows / 2 };
  magnify(step ? { x: at.x + 4 * step[0], y: at.y + 4 * step[1] } : null);
}

const panes = [0, 1, 2].map((number) => new Pane(number));

function showPanes() {
  const marks = [-1, 0, 1].map((side) => [0.5 + 0.5 * side, formatNumber(side * viewer.limit) + (side > 0 ? " HU" : "")]);
  drawRamp("error-scale", [[0, `rgb(${BELOW})`], [0.5, "#000"], [1, `rgb(${ABOVE})`]], marks);
  panes.forEach((pane) => pane.show());
}

{
  const { slices, total } = data.viewer;
  const outlined = data.groups.filter((name) => slices.some((slice) => slice.outlines[name]));
  const colors = outlined.map((name) => OUTLINES[data.groups.indexOf(name) % OUTLINES.length]);
  addControls("viewer",
    choice("viewer.slice", "Slice", slices.map(({ number }, i) => [i, number]), viewer, "slice", showPanes),
    choice("viewer.window", "Window", Object.keys(WINDOWS).map((name) => [name, name]), viewer, "window", showPanes),
    choice("viewer.limit", "Difference", [25, 50, 100, 200, 500].map((limit) => [limit, `±${limit} HU`]), viewer, "limit", showPanes),
    checkboxes("viewer.outlines", "Outlines", outlined, viewer.groups, colors, showPanes));
  byId("viewer").append(...panes.map((pane) => pane.element));
  byId("viewer-note").textContent =
    `This file holds ${slices.length} of ${total} slices, numbered from 0. Point at an image, or move with the ` +
    "arrow keys, to magnify all images at the same place.";
  if ("DecompressionStream" in window) {
    showPanes();
    drawings.push(() => panes.forEach((pane) => pane.views.forEach((view) => view.paint())));
  } else {
    byId("viewer").replaceChildren("To show images, the browser must be of 2023 or later.");
  }
}

redraw();
