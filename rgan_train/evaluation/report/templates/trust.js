
// --- Which features to trust ----------------------------------------------------------------

const trust = JSON.parse(document.getElementById("trust-data").textContent);
const PAGE_ROWS = 50;
const UNDEFINED = -32768;
const STEPS = 10000;

const unpacked = new Map();
/** CCC, lower and upper limit of each feature, one after the other, in steps of 1/10,000. */
function unpackLimits(text) {
  if (!unpacked.has(text)) {
    unpacked.set(text, new Int16Array(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer));
  }
  return unpacked.get(text);
}

const trustFeatures = trust.features.map((name, number) => {
  const [filter, kind] = name.split("_", 2);
  return { number, name, filter, kind, short: name.slice(filter.length + kind.length + 2) };
});

const trusted = {
  search: "", method: data.best, group: "", kind: "", filter: "", onlyStable: false,
  sort: { column: 0, descending: false }, page: 0,
};

function limitsOf(method, group) {
  const packed = (trust.limits[method] || {})[group];
  if (!packed) return () => null;
  const values = unpackLimits(packed);
  const count = trust.features.length;
  return (number) => {
    const found = [0, 1, 2].map((part) => values[part * count + number]);
    return found[0] === UNDEFINED ? null : found;
  };
}

const isStable = (found) => found !== null && found[1] > threshold * STEPS;

function limitsText(found) {
  if (found === null) return "–";
  const [ccc, low, high] = found.map((value) => (value / STEPS).toFixed(3).replace("-", "−"));
  return found[1] === UNDEFINED ? ccc : `${ccc} (${low} to ${high})`;
}

const trustColumns = () => {
  const groups = trusted.group === "" ? trust.groups : [trusted.group];
  return [
    { title: "feature", text: (feature) => feature.short },
    { title: "class", text: (feature) => feature.kind },
    { title: "filter", text: (feature) => feature.filter },
    ...groups.map((group) => {
      const limits = limitsOf(trusted.method, group);
      return { title: group, limits: (feature) => limits(feature.number) };
    }),
  ];
};

function compareFeatures(column, sign) {
  if (column.text) return (a, b) => sign * column.text(a).localeCompare(column.text(b)) || a.number - b.number;
  const ccc = (feature) => (column.limits(feature) || [UNDEFINED])[0];
  return (a, b) =>
    (ccc(a) === UNDEFINED) - (ccc(b) === UNDEFINED) || sign * (ccc(a) - ccc(b)) || a.number - b.number;
}

function trustHead(columns) {
  const { sort } = trusted;
  const cells = columns.map(({ title, text }, number) => {
    const button = make("button", { type: "button" }, title);
    button.addEventListener("click", () => {
      const descending = sort.column === number ? !sort.descending : !text;
      Object.assign(trusted, { sort: { column: number, descending }, page: 0 });
      showTrust();
    });
    const order = sort.column !== number ? "none" : sort.descending ? "descending" : "ascending";
    return make("th", { scope: "col", "aria-sort": order, ...(text && { class: "word" }) }, button);
  });
  return make("thead", {}, make("tr", {}, ...cells));
}

function trustRow(feature, columns) {
  const [first, ...others] = columns;
  const cells = others.map((column) => {
    if (column.text) return make("td", { class: "word" }, column.text(feature));
    const found = column.limits(feature);
    return make("td", isStable(found) ? { class: "stable" } : {}, limitsText(found));
  });
  return make("tr", {}, make("th", { scope: "row", title: feature.name }, first.text(feature)), ...cells);
}

function turnPage(text, step, disabled) {
  const button = make("button", { type: "button" }, text);
  button.disabled = disabled;
  button.addEventListener("click", () => {
    trusted.page += step;
    showTrust();
  });
  return button;
}

function showTrust() {
  const columns = trustColumns();
  const measured = columns.filter(({ limits }) => limits);
  const stable = (feature) => measured.every(({ limits }) => isStable(limits(feature)));
  const wanted = trusted.search.toLowerCase();
  trusted.sort.column = Math.min(trusted.sort.column, columns.length - 1);
  const { kind, filter, onlyStable, sort } = trusted;
  const matching = trustFeatures.filter((feature) =>
    feature.name.toLowerCase().includes(wanted) && (!kind || feature.kind === kind) && (!filter || feature.filter === filter));
  const stableOnes = matching.filter(stable);
  const shown = (onlyStable ? stableOnes : [...matching]).sort(
    compareFeatures(columns[sort.column], sort.descending ? -1 : 1));
  const first = trusted.page * PAGE_ROWS;
  const rows = shown.slice(first, first + PAGE_ROWS);
  const where = measured.length > 1 ? `in all ${measured.length} groups` : `in ${measured[0].title}`;
  byId("trust-chosen").textContent =
    `Method: ${trusted.method}. Search: ${trusted.search || "none"}. Class: ${kind || "all"}. Filter: ${filter || "all"}.` +
    (onlyStable ? " Stable only." : "");
  byId("trust-count").textContent =
    `${matching.length.toLocaleString("en")} of ${trust.features.length.toLocaleString("en")} features match; ` +
    `${stableOnes.length.toLocaleString("en")} of them are stable ${where} (bold: stable).`;
  byId("trust-table").replaceChildren(
    trustHead(columns), make("tbody", {}, ...rows.map((feature) => trustRow(feature, columns))));
  byId("trust-pages").replaceChildren(
    turnPage("Previous", -1, trusted.page === 0),
    turnPage("Next", 1, first + PAGE_ROWS >= shown.length),
    make("span", { class: "detail" }, rows.length ? `${first + 1} to ${first + rows.length} of ${shown.length.toLocaleString("en")}` : "none"));
}

function turnToFirstPage() {
  trusted.page = 0;
  showTrust();
}

if (byId("trust")) {
  const search = make("input", { type: "search", placeholder: "part of a name" });
  search.addEventListener("input", () => {
    trusted.search = search.value;
    turnToFirstPage();
  });
  const box = make("input", { type: "checkbox" });
  box.addEventListener("change", () => {
    trusted.onlyStable = box.checked;
    turnToFirstPage();
  });
  const all = (values) => [["", "all"], ...[...new Set(values)].map((value) => [value, value])];
  const narrow = (label, field, options) =>
    choice(`trust-${field}`, label, options, trusted, field, turnToFirstPage);
  byId("trust-controls").append(
    make("label", {}, make("span", {}, "Search"), search),
    narrow("Method", "method", Object.keys(trust.limits).map((name) => [name, name])),
    narrow("Regions", "group", all(trust.groups)),
    narrow("Class", "kind", all(trustFeatures.map(({ kind }) => kind))),
    narrow("Filter", "filter", all(trustFeatures.map(({ filter }) => filter))),
    make("label", {}, box, "stable only"));
  showTrust();
}
