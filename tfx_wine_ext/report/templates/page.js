"use strict";
// The page is whole without this: it only sorts, filters and opens, and keeps that in the address.
(() => {
  const form = document.querySelector("form.controls");
  if (!form) return;
  // Features with details, and below them lines of a table.
  const lists = [...document.querySelectorAll(".features, .lines")];
  const features = lists.flatMap((list) => [...list.children]);
  const folds = features.filter((feature) => feature.matches("details"));
  const others = document.getElementById("others");
  const { find, sort, open } = form.elements;
  const boxes = [...form.querySelectorAll("input[name=show]")];
  const output = form.querySelector("output");
  const names = new Map(features.map((feature) => [
    feature,
    feature.querySelector(".lines [title]")?.title ||
      (feature.querySelector(".whole-name") || feature.querySelector(".name")).textContent,
  ]));
  const collator = new Intl.Collator(undefined, { numeric: true });

  const metrics = [...sort.options].map((option) => option.value)
    .filter((value) => value && value !== "column" && value !== "name");

  function metric(feature, name) {
    if (feature.matches("tr")) {
      const value = (feature.dataset.values || "").split(",")[metrics.indexOf(name)];
      return value ? Number(value) : -1;
    }
    for (const row of feature.querySelectorAll("tr[data-metric]"))
      if (row.dataset.metric === name) return Number(row.dataset.value);
    return -1; // Features without this metric come last.
  }

  function order(by) {
    if (by === "name") return (a, b) => collator.compare(names.get(a), names.get(b));
    if (by === "column") return (a, b) => a.dataset.column - b.dataset.column;
    if (!by) return (a, b) => a.dataset.severity - b.dataset.severity;
    const values = new Map(features.map((feature) => [feature, metric(feature, by)]));
    return (a, b) => values.get(b) - values.get(a) || a.dataset.severity - b.dataset.severity;
  }

  function apply() {
    const wanted = find.value.trim().toLocaleLowerCase();
    const shown = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let visible = 0;
    for (const feature of features) {
      feature.hidden =
        (boxes.length > 0 && !shown.has(feature.dataset.verdict)) ||
        !names.get(feature).toLocaleLowerCase().includes(wanted);
      visible += !feature.hidden;
    }
    for (const list of lists) {
      const sorted = [...list.children].sort(order(sort.value));
      if (sorted.some((feature, i) => list.children[i] !== feature)) list.append(...sorted);
    }
    // What is searched for must not hide in a fold.
    if (others && wanted) others.open = features.some((x) => !x.hidden && others.contains(x));
    output.value = `${visible} of ${features.length} features shown`;
    press();
  }

  function press() {
    const all = folds.every((feature) => feature.hidden || feature.open);
    open.textContent = all ? "Close all" : "Open all";
    open.setAttribute("aria-pressed", String(all));
  }

  function remember() {
    const state = new URLSearchParams();
    if (find.value) state.set("find", find.value);
    if (sort.selectedIndex > 0) state.set("sort", sort.value);
    if (boxes.some((box) => !box.checked))
      state.set("show", boxes.filter((box) => box.checked).map((box) => box.value).join(" "));
    const hash = state.toString();
    history.replaceState(null, "", location.href.split("#")[0] + (hash && `#${hash}`));
  }

  function restore() {
    const target = features.find((feature) => `#${feature.id}` === location.hash);
    if (target) {
      // A link to a feature shows it, whatever was filtered before.
      if (target.hidden) form.reset();
      apply();
      const fold = target.closest("details");
      fold.open = true;
      target.scrollIntoView();
      fold.querySelector("summary").focus({ preventScroll: true });
      return;
    }
    const place = document.getElementById(location.hash.slice(1));
    if (place) {
      // A metric, whose entry some browsers do not unfold.
      const fold = place.closest("details");
      if (fold) fold.open = true;
      place.scrollIntoView();
      return;
    }
    const state = new URLSearchParams(location.hash.slice(1));
    find.value = state.get("find") || "";
    sort.value = state.get("sort") || "";
    if (sort.selectedIndex < 0) sort.selectedIndex = 0;
    const shown = state.has("show") ? state.get("show").split(" ") : null;
    for (const box of boxes) box.checked = !shown || shown.includes(box.value);
    apply();
  }

  form.addEventListener("input", () => { apply(); remember(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target === find) { find.value = ""; apply(); remember(); }
  });
  open.addEventListener("click", () => {
    const all = open.getAttribute("aria-pressed") !== "true";
    for (const feature of folds) if (!feature.hidden) feature.open = all;
    press();
  });
  lists[0].addEventListener("toggle", press, true);
  addEventListener("hashchange", restore);

  // On paper everything is open, and afterwards as it was.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const details of closed) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of closed) details.open = false;
    closed = [];
  });

  form.hidden = false;
  restore();
})();
