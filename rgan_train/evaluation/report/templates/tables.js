// --- Tables that sort -----------------------------------------------------------------------

function sortBy(table, headings, heading) {
  const column = headings.indexOf(heading);
  const isText = column === 0;
  const order =
    heading.ariaSort === (isText ? "ascending" : "descending")
      ? (isText ? "descending" : "ascending")
      : (isText ? "ascending" : "descending");
  for (const other of headings) other.ariaSort = other === heading ? order : "none";
  const sign = order === "ascending" ? 1 : -1;
  const key = (row) => Number(row.cells[column].dataset.value);
  const compare = isText
    ? (a, b) => sign * a.cells[0].textContent.localeCompare(b.cells[0].textContent)
    : (a, b) => Number.isNaN(key(a)) - Number.isNaN(key(b)) || sign * (key(a) - key(b));
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
}

for (const table of document.querySelectorAll(".sortable")) {
  const headings = [...table.querySelectorAll("th[aria-sort]")];
  for (const heading of headings) {
    heading.querySelector("button").addEventListener("click", () => sortBy(table, headings, heading));
  }
}
