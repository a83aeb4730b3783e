"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const [threshold] = data.thresholds;
const byId = (id) => document.getElementById(id);

// --- Elements -------------------------------------------------------------------------------

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
const make = (name, attributes = {}, ...children) =>
  fill(document.createElement(name), attributes, children);
const draw = (name, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

/** A select with a label; options are [value, text]. */
function choice(label, options, selected, onChange) {
  const select = make("select", {}, ...options.map(([value, text]) => new Option(text, value)));
  select.value = selected;
  select.addEventListener("change", () => onChange(select.value));
  return make("label", {}, make("span", {}, label), select);
}

function checkboxes(label, names, checked, colors, onChange) {
  const boxes = names.map((name, number) => {
    const box = make("input", { type: "checkbox" });
    box.checked = checked.has(name);
    if (colors) box.style.accentColor = colors[number];
    box.addEventListener("change", () => {
      checked[box.checked ? "add" : "delete"](name);
      onChange();
    });
    return make("label", {}, box, name);
  });
  return make("fieldset", {}, make("legend", {}, label), ...boxes);
}

const withIndex = (items) => items.map((item, number) => [number, item]);

// --- Numbers --------------------------------------------------------------------------------

function formatNumber(value, digits = 3) {
  const size = Math.abs(value);
  const text =
    size !== 0 && (size >= 1e6 || size < 1e-3)
      ? value.toExponential(1)
      : value.toLocaleString("en", { maximumSignificantDigits: digits });
  return text.replace("-", "−");
}

function scale([low, high], range) {
  const map = (value) => range[0] + ((value - low) / (high - low || 1)) * (range[1] - range[0]);
  return Object.assign(map, { range });
}

/** About `count` round numbers from low to high. */
function ticks([low, high], count) {
  const rough = (high - low || 1) / count;
  const decade = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * decade >= rough) * decade;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

function extent(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const margin = (high - low || Math.abs(low) || 1) * 0.06;
  return [low - margin, high + margin];
}

// --- Charts ---------------------------------------------------------------------------------

const SERIES = 6;
const models = data.methods.filter((method) => method !== "input");
const withoutComBat = (variant) => (variant.endsWith(data.combat) ? variant.slice(0, -data.combat.length) : variant);
const color = (variant) =>
  withoutComBat(variant) === "input" ? "var(--quiet)" : `var(--series-${models.indexOf(withoutComBat(variant)) % SERIES})`;
const dash = (method) =>
  method === "input" ? "2 3" : ["none", "7 3", "3 2"][Math.floor(models.indexOf(method) / SERIES) % 3];

/** Functions that draw what depends on the width of the page: called at the end, and when it changes. */
const drawings = [];
const redraw = () => drawings.forEach((drawing) => drawing());
let resizeTimer;
addEventListener("resize", () => {
  clearTimeout(resizeTimer);
  resizeTimer = setTimeout(redraw, 150);
});

function canvas(box, height, label) {
  const width = Math.max(box.clientWidth, 240);
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  box.replaceChildren(svg);
  return [svg, width];
}

function xAxis(svg, x, values, [top, bottom], label, format = formatNumber) {
  for (const value of values) {
    svg.append(
      draw("line", { class: "grid", x1: x(value), x2: x(value), y1: top, y2: bottom }),
      draw("text", { x: x(value), y: bottom + 16, "text-anchor": "middle" }, format(value)),
    );
  }
  const middle = (x.range[0] + x.range[1]) / 2;
  svg.append(draw("text", { x: middle, y: bottom + 33, "text-anchor": "middle" }, label));
}

function yAxis(svg, y, values, [left, right], label, format = formatNumber) {
  for (const value of values) {
    svg.append(
      draw("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
      draw("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, format(value)),
    );
  }
  svg.append(draw("text", { x: 4, y: 12 }, label));
}

/** A chart with a row for each method; `mark` draws its mark at a height and returns a description. */
function rowChart(box, label, domain, guides, mark, methods = data.methods) {
  const bottom = 8 + 25 * methods.length;
  const [svg, width] = canvas(box, bottom + 40, label);
  const left = Math.min(150, width * 0.34);
  const x = scale(domain, [left, width - 16]);
  xAxis(svg, x, ticks(domain, 5), [4, bottom], label);
  for (const value of guides) {
    svg.append(draw("line", { class: "guide", x1: x(value), x2: x(value), y1: 4, y2: bottom }));
  }
  methods.forEach((method, row) => {
    const y = 20 + 25 * row;
    const fits = Math.floor((left - 8) / 7.5);
    const name = method.length > fits ? `${method.slice(0, fits - 1)}…` : method;
    const group = draw("g", {}, draw("text", { class: "name", x: left - 8, y: y + 4, "text-anchor": "end" }, name));
    group.append(draw("title", {}, `${method}: ${mark(group, method, x, y)}`));
    svg.append(group);
  });
}

const whisker = (x, y, from, to, method) =>
  draw("line", { x1: x(from), x2: x(to), y1: y, y2: y, stroke: color(method), "stroke-width": 2 });
const dot = (x, y, value, method) => draw("circle", { cx: x(value), cy: y, r: 4.5, fill: color(method) });

function groupPanels(id, chart) {
  data.groups.forEach(({ name, sample }, number) => {
    const box = make("div");
    byId(id).append(make("div", {}, make("h4", {}, `${name} `, make("small", {}, sample)), box));
    drawings.push(() => chart(box, number, name));
  });
}

groupPanels("counts", (box, number) => {
  const counts = data.counts[number];
  rowChart(box, `features with CCC > ${threshold}`, [0, counts.input.total], [counts.input.features],
    (group, method, x, y) => {
      const { features, total, interval: [low, high] } = counts[method];
      if (low !== null) group.append(whisker(x, y, low, high, method));
      group.append(dot(x, y, features, method));
      return `${features} of ${total}` + (low === null ? "" : `, ${low} to ${high}`);
    });
});

groupPanels("distributions", (box, number) => {
  const boxes = data.distributions[number];
  const lowest = Math.min(0, ...Object.values(boxes).flatMap((found) => found.slice(0, 1)));
  rowChart(box, "CCC", [Math.floor(lowest * 4) / 4, 1], data.thresholds, (group, method, x, y) => {
    if (!boxes[method].length) return "none defined";
    const [low, first, median, third, high] = boxes[method];
    group.append(
      whisker(x, y, low, high, method),
      draw("rect", { x: x(first), y: y - 7, width: x(third) - x(first), height: 14, fill: color(method), stroke: "var(--card)" }),
      draw("line", { x1: x(median), x2: x(median), y1: y - 7, y2: y + 7, stroke: "var(--card)", "stroke-width": 2.5 }),
    );
    return `median ${formatNumber(median)}, quartiles ${formatNumber(first)} and ${formatNumber(third)}`;
  });
});

drawings.push(() => {
  const measured = data.methods.filter((method) => data.edges[method]);
  if (!measured.length) return byId("edges").replaceChildren("No edge is straight and high enough to measure.");
  const target = data.edges[measured[0]][1];
  const rises = measured.map((method) => data.edges[method][0]);
  rowChart(byId("edges"), "edge rise, mm", extent([target, ...rises]), [target], (group, method, x, y) => {
    group.append(whisker(x, y, target, data.edges[method][0], method), dot(x, y, data.edges[method][0], method));
    return `${formatNumber(data.edges[method][0])} mm`;
  }, measured);
});

drawings.push(() => {
  const { frequencies, ratios } = data.noise;
  const measured = Object.keys(ratios);
  if (!measured.length) return byId("noise").replaceChildren("No block of soft tissue is even enough to measure noise.");
  const logs = measured.flatMap((method) => ratios[method]).filter((ratio) => ratio > 0).map(Math.log10);
  const domain = extent([0, ...logs]);
  const box = make("div");
  const legend = make("ul", { class: "legend" });
  byId("noise").replaceChildren(box, legend);
  const label = "noise power / target's";
  const [svg, width] = canvas(box, 300, label);
  const [left, right, top, bottom] = [44, width - 12, 24, 256];
  const x = scale([0, 0.5], [left, right]);
  const y = (ratio) => scale(domain, [bottom, top])(Math.log10(ratio));
  const labels = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30].filter(
    (ratio) => Math.log10(ratio) >= domain[0] && Math.log10(ratio) <= domain[1]);
  xAxis(svg, x, [0, 0.1, 0.2, 0.3, 0.4, 0.5], [top, bottom], "spatial frequency, cycles per pixel");
  yAxis(svg, y, labels, [left, right], label);
  svg.append(draw("line", { class: "guide", x1: left, x2: right, y1: y(1), y2: y(1) }));
  for (const method of measured) {
    const line = { fill: "none", stroke: color(method), "stroke-width": 2.2, "stroke-dasharray": dash(method) };
    const points = ratios[method].map((ratio, band) => (ratio > 0 ? `${x(frequencies[band])},${y(ratio)}` : ""));
    svg.append(draw("polyline", { ...line, points: points.join(" ") }, draw("title", {}, method)));
    const key = draw("svg", { viewBox: "0 0 28 10", "aria-hidden": "true" }, draw("line", { ...line, x2: 28, y1: 5, y2: 5 }));
    legend.append(make("li", {}, key, method));
  }
});

// --- Heat map -------------------------------------------------------------------------------

const HEAT = [[0, [179, 84, 8]], [threshold, [250, 246, 238]], [1, [33, 102, 172]]];

/** A color from orange to blue, with white at the threshold. */
function heatColor(ccc) {
  const value = Math.max(0, Math.min(1, ccc));
  const [low, high] = value < threshold ? HEAT.slice(0, 2) : HEAT.slice(1);
  const part = (value - low[0]) / (high[0] - low[0]);
  return low[1].map((channel, i) => Math.round(channel + part * (high[1][i] - channel)));
}

function heatCell(found, filter, name) {
  if (!found) return make("td", {}, "–");
  const [median, above, total] = found;
  const text = `${filter}, ${name}: median CCC ${median.toFixed(2)}; ${above} of ${total} features above ${threshold}`;
  const cell = make("td", { tabindex: 0, title: text, "aria-label": text }, median.toFixed(2).replace("-", "−"));
  const rgb = heatColor(median);
  cell.style.background = `rgb(${rgb})`;
  cell.style.color = rgb[0] + rgb[1] + rgb[2] > 420 ? "#000" : "#fff";
  for (const event of ["mouseenter", "focus"]) {
    cell.addEventListener(event, () => { byId("heat-detail").textContent = text; });
  }
  return cell;
}

function heatMap(method) {
  const { filters, classes, maps } = data.heat;
  const { name, sample } = data.groups[heat.group];
  const rows = maps[heat.group][method].map((row, r) =>
    make("tr", {}, make("th", { scope: "row" }, filters[r]), ...row.map((found, c) => heatCell(found, filters[r], classes[c]))));
  const head = make("tr", {}, make("td"), ...classes.map((text) => make("th", { scope: "col" }, text)));
  const title = make("caption", {}, make("b", {}, method), `, ${name}: ${sample}`);
  const table = make("table", {}, title, make("thead", {}, head), make("tbody", {}, ...rows));
  return make("div", {}, make("div", { class: "scroll" }, table));
}

function showHeatMaps() {
  byId("heat").replaceChildren(...heat.methods.map(heatMap));
  byId("heat-detail").textContent = "Each cell shows the median CCC of its features; point at a cell to see how many are above the threshold.";
}

const groupNames = data.groups.map(({ name }) => name);
const heat = { group: 0, methods: ["input", data.best] };
if (data.groups.length) {
  const methods = data.variants.map((name) => [name, name]);
  byId("heat-controls").append(
    choice("Regions", withIndex(groupNames), 0, (group) => { heat.group = group; showHeatMaps(); }),
    ...heat.methods.map((method, side) => choice(["Left", "Right"][side], methods, method, (chosen) => {
      heat.methods[side] = chosen;
      showHeatMaps();
    })));
  const stops = HEAT.map(([at, rgb]) => `rgb(${rgb}) ${at * 100}%`);
  byId("heat-scale").style.background = `linear-gradient(to right, ${stops})`;
  for (const at of [0, 0.5, threshold, 1]) {
    const mark = make("span", {}, at === 0 ? "≤ 0" : String(at));
    mark.style.left = `${at * 100}%`;
    byId("heat-scale").append(mark);
  }
  showHeatMaps();
}

// --- Bland and Altman -----------------------------------------------------------------------

function agreement(method) {
  const { rows, values } = data.blandAltman;
  const points = rows[single.group]
    .map((row) => [values[method][single.feature][row], values.target[single.feature][row]])
    .filter(([value, target]) => value !== null && target !== null)
    .map(([value, target]) => [(value + target) / 2, value - target]);
  const mean = points.reduce((sum, [, difference]) => sum + difference, 0) / points.length;
  const square = points.reduce((sum, [, difference]) => sum + (difference - mean) ** 2, 0);
  const spread = 1.96 * Math.sqrt(square / (points.length - 1));
  return { method, points, lines: [mean - spread, mean, mean + spread] };
}

function showBlandAltman() {
  const found = data.variants.filter((method) => single.methods.has(method)).map(agreement)
    .filter(({ points }) => points.length > 1);
  const xDomain = extent(found.flatMap(({ points }) => points.map(([mean]) => mean)));
  const yDomain = extent(found.flatMap(({ points, lines }) => [0, ...lines, ...points.map(([, d]) => d)]));
  const panels = found.map(({ method, points, lines }) => {
    const [low, mean, high] = lines.map((line) => formatNumber(line));
    const text = `n = ${points.length} regions; mean difference ${mean}, limits ${low} to ${high}`;
    const box = make("div");
    return { box, method, points, lines, text, panel: make("div", {}, make("h4", {}, `${method} `, make("small", {}, text)), box) };
  });
  byId("bland-altman").replaceChildren(...panels.map(({ panel }) => panel));
  for (const { box, method, points, lines, text } of panels) {
    const [svg, width] = canvas(box, 280, `${method}: ${text}`);
    const [left, right, top, bottom] = [64, width - 12, 24, 236];
    const x = scale(xDomain, [left, right]);
    const y = scale(yDomain, [bottom, top]);
    xAxis(svg, x, ticks(xDomain, 4), [top, bottom], "mean of method and target");
    yAxis(svg, y, ticks(yDomain, 5), [left, right], "method − target");
    svg.append(draw("line", { class: "axis", x1: left, x2: right, y1: y(0), y2: y(0) }));
    for (const [mean, difference] of points) {
      svg.append(draw("circle", { cx: x(mean), cy: y(difference), r: 3, fill: color(method), "fill-opacity": 0.55 }));
    }
    lines.forEach((line, number) => svg.append(draw("line", {
      x1: left, x2: right, y1: y(line), y2: y(line),
      stroke: color(method), "stroke-width": 2, "stroke-dasharray": number === 1 ? "none" : "6 4",
    })));
  }
}

const single = { feature: 0, group: 0, methods: new Set(["input", data.best]) };
if (data.groups.length && data.blandAltman.features.length) {
  const features = data.blandAltman.features.map(({ name, note }) => (note ? `${name} (${note})` : name));
  byId("bland-altman-controls").append(
    choice("Feature", withIndex(features), 0, (feature) => { single.feature = feature; showBlandAltman(); }),
    choice("Regions", withIndex(groupNames), 0, (group) => { single.group = group; showBlandAltman(); }),
    checkboxes("Methods", data.variants, single.methods, data.variants.map(color), showBlandAltman));
  drawings.push(showBlandAltman);
}

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
    this.outlines = groupNames
      .map((name, i) => [name, slice.outlines[name], OUTLINES[i % OUTLINES.length]])
      .filter(([name, path]) => path && viewer.groups.has(name));
    this.area.setAttribute("aria-label", `${label}, slice ${slice.number}; arrow keys move the magnifier`);
    this.paint();
  }

  paint() {
    const { canvas, raster } = this;
    canvas.width = Math.round((canvas.clientWidth || raster.width) * devicePixelRatio);
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
    context.lineWidth = (1.3 * devicePixelRatio) / zoom;
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
    const select = choice("", options, viewer.variants[number], (variant) => {
      viewer.variants[number] = variant;
      this.show();
    }).lastChild;
    select.setAttribute("aria-label", `Image ${number + 1}`);
    this.element = make("figure", { class: "pane" }, select, this.whole.element, this.error.element);
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
  byId("error-scale").replaceChildren(...[-1, 0, 1].map((side) => {
    const mark = make("span", {}, formatNumber(side * viewer.limit) + (side > 0 ? " HU" : ""));
    mark.style.left = `${50 + 50 * side}%`;
    return mark;
  }));
  panes.forEach((pane) => pane.show());
}

const change = (name) => (value) => {
  viewer[name] = value;
  showPanes();
};

{
  const { slices, total } = data.viewer;
  const outlined = groupNames.filter((name) => slices.some((slice) => slice.outlines[name]));
  const colors = outlined.map((name) => OUTLINES[groupNames.indexOf(name) % OUTLINES.length]);
  byId("viewer-controls").append(
    choice("Slice", slices.map(({ number }, i) => [i, number]), viewer.slice, change("slice")),
    choice("Window", Object.keys(WINDOWS).map((name) => [name, name]), viewer.window, change("window")),
    choice("Difference", [25, 50, 100, 200, 500].map((limit) => [limit, `±${limit} HU`]), viewer.limit, (limit) => {
      change("limit")(Number(limit));
    }),
    checkboxes("Outlines", outlined, viewer.groups, colors, showPanes));
  const ramp = byId("error-scale");
  ramp.style.background = `linear-gradient(to right, rgb(${BELOW}), #000, rgb(${ABOVE}))`;
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
