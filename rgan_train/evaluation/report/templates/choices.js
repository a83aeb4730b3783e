// --- Choices --------------------------------------------------------------------------------

/** What the reader has chosen. The address has it too, so that a view can be kept and shared. */
const chosen = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");

function remember(name, value) {
  chosen.set(name, value);
  history.replaceState(null, "", `#${chosen}`);
}

/** A select for a field of `state`, by the field's name in the address; options are [value, text]. */
function choice(name, label, options, state, field, onChange) {
  const select = make("select", {}, ...options.map(([value, text]) => new Option(text, value)));
  const kept = options.find(([value]) => String(value) === chosen.get(name));
  if (kept) [state[field]] = kept;
  select.value = state[field];
  select.addEventListener("change", () => {
    [state[field]] = options[select.selectedIndex];
    remember(name, select.value);
    onChange();
  });
  return make("label", {}, make("span", {}, label), select);
}

/** Boxes for the names that are in the set `checked`. */
function checkboxes(name, label, names, checked, colors, onChange) {
  if (chosen.has(name)) {
    const kept = chosen.get(name).split("\n");
    checked.clear();
    names.filter((one) => kept.includes(one)).forEach((one) => checked.add(one));
  }
  const boxes = names.map((one, number) => {
    const box = make("input", { type: "checkbox" });
    box.checked = checked.has(one);
    box.style.accentColor = colors[number];
    box.addEventListener("change", () => {
      checked[box.checked ? "add" : "delete"](one);
      remember(name, [...checked].join("\n"));
      onChange();
    });
    return make("label", {}, box, one);
  });
  return make("fieldset", {}, make("legend", {}, label), ...boxes);
}

/** Add controls, and say in words what is chosen, for paper and for saved figures. */
function addControls(id, ...controls) {
  const box = byId(`${id}-controls`);
  const describe = () => {
    byId(`${id}-chosen`).textContent = [...box.children].map((control) => {
      const picked = control.matches("label")
        ? [...control.querySelector("select").selectedOptions].map(({ text }) => text)
        : [...control.querySelectorAll("label")].filter((one) => one.firstChild.checked).map((one) => one.textContent);
      return `${control.firstChild.textContent}: ${picked.join(", ") || "none"}.`;
    }).join(" ");
  };
  box.append(...controls);
  box.addEventListener("change", describe);
  describe();
}

const withIndex = (items) => items.map((item, number) => [number, item]);
