// --- Data -----------------------------------------------------------------------------------

const data = JSON.parse(byId("data").textContent);
const [threshold] = data.thresholds;

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
addEventListener("layout", redraw);
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

const ROW = 22;
const TITLE = 26;

/**
 * A chart of blocks on one axis. A block has `methods`, a row for each, and perhaps a `title`, `guides` (values) and an `end`
 * (a value and a text); `mark` draws the mark of a method at a height and returns a description.
 */
function rowChart(box, label, domain, blocks) {
  const heights = blocks.map(({ title, methods }) => (title ? TITLE : 8) + ROW * methods.length);
  const bottom = heights.reduce((sum, height) => sum + height, 0);
  const [svg, width] = canvas(box, bottom + 40, label);
  const names = blocks.flatMap(({ title = "", methods }) => [title, ...methods]);
  const left = Math.min(Math.max(...names.map((name) => textWidth(svg, name))) + 14, width * 0.4);
  const x = scale(domain, [left, width - 16]);
  xAxis(svg, x, ticks(domain, 5), [4, bottom], label);
  let top = 0;
  blocks.forEach((block, number) => {
    drawBlock(svg, block, x, top, top + heights[number]);
    top += heights[number];
  });
}

function drawBlock(svg, { title, methods, guides = [], end, mark }, x, top, bottom) {
  const [left] = x.range;
  const first = top + (title ? TITLE : 8);
  if (title) svg.append(draw("text", { class: "title", x: 0, y: top + 18 }, title));
  const line = (value, kind) => draw("line", { class: kind, x1: x(value), x2: x(value), y1: first - 4, y2: bottom - 4 });
  svg.append(...guides.map((value) => line(value, "guide")));
  if (end) {
    const [value, text] = end;
    svg.append(line(value, "end"), draw("text", { x: x(value), y: top + 18, "text-anchor": "end" }, text));
  }
  methods.forEach((method, row) => {
    const y = first + 12 + ROW * row;
    const part = Math.min(1, (left - 8) / textWidth(svg, method));
    const name = part < 1 ? shorten(method, Math.floor(part * method.length) - 2) : method;
    const group = draw("g", {}, draw("text", { class: "name", x: left - 8, y: y + 4, "text-anchor": "end" }, name));
    group.append(draw("title", {}, `${method}: ${mark(group, method, x, y)}`));
    svg.append(group);
  });
}

/** Return how wide a text is in bold, as titles are; names are a little narrower. */
function textWidth(svg, text) {
  const probe = draw("text", { class: "title" }, text);
  svg.append(probe);
  const width = probe.getComputedTextLength();
  probe.remove();
  return width;
}

/** Leave out the middle of a name: names of models often differ at the end. */
const shorten = (name, letters) => `${name.slice(0, Math.ceil(letters / 2))}…${name.slice(-Math.floor(letters / 2))}`;

const whisker = (x, y, from, to, method) =>
  draw("line", { x1: x(from), x2: x(to), y1: y, y2: y, stroke: color(method), "stroke-width": 2 });
const dot = (x, y, value, method) => draw("circle", { cx: x(value), cy: y, r: 4.5, fill: color(method) });

function markCount(group, { features, total, interval: [low, high] }, method, x, y) {
  if (low !== null) group.append(whisker(x, y, low, high, method));
  group.append(dot(x, y, features, method));
  return `${features} of ${total}` + (low === null ? "" : `, ${low} to ${high}`);
}

function drawCounts() {
  const blocks = data.groups.map((title, number) => {
    const counts = data.counts[number];
    const { features, total } = counts.input;
    const mark = (group, method, x, y) => markCount(group, counts[method], method, x, y);
    return { title, methods: data.methods, guides: [features], end: [total, `all ${total.toLocaleString("en")}`], mark };
  });
  const most = Math.max(...blocks.map(({ end }) => end[0]));
  rowChart(byId("counts"), `features with CCC > ${threshold}`, [0, most], blocks);
}

function markDistribution(group, quantiles, method, x, y) {
  if (!quantiles.length) return "none defined";
  const [low, first, median, third, high] = quantiles;
  group.append(
    whisker(x, y, low, high, method),
    draw("rect", { x: x(first), y: y - 7, width: x(third) - x(first), height: 14, fill: color(method), stroke: "var(--card)" }),
    draw("line", { x1: x(median), x2: x(median), y1: y - 7, y2: y + 7, stroke: "var(--card)", "stroke-width": 2.5 }),
  );
  return `median ${formatNumber(median)}, quartiles ${formatNumber(first)} and ${formatNumber(third)}`;
}

function drawDistributions() {
  const lowest = Math.min(0, ...data.distributions.flatMap((boxes) => Object.values(boxes).flatMap(([low]) => low ?? [])));
  const blocks = data.groups.map((title, number) => {
    const mark = (group, method, x, y) => markDistribution(group, data.distributions[number][method], method, x, y);
    return { title, methods: data.methods, guides: data.thresholds, mark };
  });
  rowChart(byId("distributions"), "CCC", [Math.floor(lowest * 4) / 4, 1], blocks);
}

if (data.groups.length) drawings.push(drawCounts, drawDistributions);

drawings.push(() => {
  const measured = data.methods.filter((method) => data.edges[method]);
  if (!measured.length) return byId("edges").replaceChildren("No edge is straight and high enough to measure.");
  const target = data.edges[measured[0]][1];
  const rises = measured.map((method) => data.edges[method][0]);
  const mark = (group, method, x, y) => {
    group.append(whisker(x, y, target, data.edges[method][0], method), dot(x, y, data.edges[method][0], method));
    return `${formatNumber(data.edges[method][0])} mm`;
  };
  rowChart(byId("edges"), "edge rise, mm", extent([target, ...rises]), [{ methods: measured, guides: [target], mark }]);
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
  const rows = maps[heat.group][method].map((row, r) =>
    make("tr", {}, make("th", { scope: "row" }, filters[r]), ...row.map((found, c) => heatCell(found, filters[r], classes[c]))));
  const head = make("tr", {}, make("td"), ...classes.map((text) => make("th", { scope: "col" }, text)));
  const title = make("caption", {}, make("b", {}, method), `, ${data.groups[heat.group]}`);
  const table = make("table", {}, title, make("thead", {}, head), make("tbody", {}, ...rows));
  return make("div", {}, make("div", { class: "scroll" }, table));
}

function showHeatMaps() {
  byId("heat").replaceChildren(...[heat.left, heat.right].map(heatMap));
  byId("heat-detail").textContent = "Point at a cell to see how many of its features are above the threshold.";
}

/** A strip of colors with marks below; `stops` are [part, color], and `marks` are [part, text]. */
function drawRamp(id, stops, marks) {
  const [left, width] = [44, 320];
  const at = (part) => left + part * width;
  const colors = stops.map(([part, shade]) => draw("stop", { offset: part, "stop-color": shade }));
  const texts = marks.map(([part, text]) => draw("text", { x: at(part), y: 28, "text-anchor": "middle" }, text));
  byId(id).replaceChildren(draw("svg", { viewBox: `0 0 ${2 * left + width} 32` },
    draw("linearGradient", { id: `${id}-colors` }, ...colors),
    draw("rect", { x: left, y: 0, width, height: 13, fill: `url(#${id}-colors)` }),
    ...texts));
}

const groups = withIndex(data.groups);
const heat = { group: 0, left: "input", right: data.best };
if (data.groups.length) {
  const variants = data.variants.map((name) => [name, name]);
  addControls("heat",
    choice("heat.group", "Regions", groups, heat, "group", showHeatMaps),
    choice("heat.left", "Left", variants, heat, "left", showHeatMaps),
    choice("heat.right", "Right", variants, heat, "right", showHeatMaps));
  drawRamp("heat-scale", HEAT.map(([at, rgb]) => [at, `rgb(${rgb})`]),
    [[0, "≤ 0"], [0.5, "0.5"], [threshold, String(threshold)], [1, "1"]]);
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
  addControls("bland-altman",
    choice("single.feature", "Feature", withIndex(features), single, "feature", showBlandAltman),
    choice("single.group", "Regions", groups, single, "group", showBlandAltman),
    checkboxes("single.methods", "Methods", data.variants, single.methods, data.variants.map(color), showBlandAltman));
  drawings.push(showBlandAltman);
}
