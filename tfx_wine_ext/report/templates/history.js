"use strict";
// The page is whole without this: it only chooses a metric, says what is under the pointer, moves
// along the runs by keys, opens the run in the address, and keeps what was chosen there.
(() => {
  const chart = document.querySelector(".chart");
  if (!chart) return;
  const tip = chart.querySelector(".tip");
  const reel = chart.querySelector(".reel");
  const select = document.querySelector("select[name=metric]");
  const all = chart.querySelector("input[name=all]");
  const panels = [...chart.querySelectorAll(".metric")];
  const links = [...chart.querySelectorAll(".hits a")];
  const titles = links.map((link) => {
    const title = link.querySelector("title");
    link.setAttribute("aria-label", title.textContent);
    title.remove(); // The browser's own label would lie over ours.
    return link.getAttribute("aria-label");
  });
  const VERDICTS = { D: "Drift", W: "Warning", O: "OK", I: "Inconclusive", N: "No baseline" };
  const cells = new Map();
  let current = links.length - 1;
  let row = null;

  const cell = (of, i) => {
    if (!cells.has(of)) cells.set(of, of.dataset.cells.split("|"));
    return cells.get(of)[i];
  };
  // Rows that have something to say, and are shown.
  const rows = () => [...chart.querySelectorAll(".row[data-cells]")].filter((r) => r.offsetParent);

  function words(i, of) {
    if (!of) return "";
    const value = cell(of, i);
    if (of.classList.contains("metric"))
      return `${of.dataset.label}: ${value || "not measured"}`;
    const label = of.querySelector(".name");
    const name = label.title || label.textContent;
    if (!value) return `\u2068${name}\u2069: no drift report`;
    const [code, metric, score, limit] = value.split(";");
    const verdict = VERDICTS[code] || "not judged";
    const measured = metric ? `; ${metric} ${score}${limit ? `, limit ${limit}` : ", without a limit"}` : "";
    return `\u2068${name}\u2069: ${verdict}${measured}`;
  }

  function mark(of) {
    for (const other of chart.querySelectorAll(".strip.at")) other.classList.remove("at");
    if (of) of.classList.add("at");
  }

  function say(i, of, touched) {
    mark(of);
    const [head, ...rest] = titles[i].split(". ");
    const said = words(i, of);
    tip.replaceChildren();
    const add = (tag, text) => {
      const element = document.createElement(tag);
      element.textContent = text;
      tip.append(element);
      return element;
    };
    if (said) add("b", said);
    add("div", head);
    if (!said) for (const text of rest) add("div", text);
    if (touched) add("a", "What moved in this run").href = links[i].getAttribute("href");
    tip.hidden = false;
    const box = chart.getBoundingClientRect();
    const column = links[i].getBoundingClientRect();
    const target = (of || panels.find((p) => !p.hidden) || chart).getBoundingClientRect();
    const left = column.left + column.width / 2 - box.left - tip.offsetWidth / 2;
    tip.style.left = `${Math.max(8, Math.min(left, box.width - tip.offsetWidth - 8))}px`;
    const above = target.top - box.top - tip.offsetHeight - 6;
    const fits = of && !of.classList.contains("metric") && target.top - tip.offsetHeight > 8;
    tip.style.top = `${fits ? above : target.bottom - box.top + 6}px`;
  }

  function hide() {
    tip.hidden = true;
    mark(null);
  }

  // The row below a height of the screen; null on the axis.
  function at(y) {
    return rows().find((r) => {
      const box = r.getBoundingClientRect();
      return y >= box.top && y < box.bottom;
    }) || null;
  }

  // One stop for the Tab key; arrows go on from there.
  function stop(i) {
    links[current].setAttribute("tabindex", "-1");
    current = i;
    links[i].setAttribute("tabindex", "0");
  }

  function reveal(i) {
    const box = reel.getBoundingClientRect();
    const column = links[i].getBoundingClientRect();
    const labels = parseFloat(getComputedStyle(chart.querySelector(".hits")).left) || 0;
    if (column.left < box.left + labels) reel.scrollLeft -= box.left + labels - column.left;
    else if (column.right > box.right) reel.scrollLeft += column.right - box.right;
  }

  links.forEach((link, i) => {
    link.setAttribute("tabindex", "-1");
    link.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") say(i, at(event.clientY));
    });
    link.addEventListener("focus", () => {
      if (!link.matches(":focus-visible")) return;
      stop(i);
      reveal(i);
      say(i, row);
    });
    link.addEventListener("blur", (event) => { if (!tip.contains(event.relatedTarget)) hide(); });
    link.addEventListener("click", (event) => {
      // A finger cannot hover: its first tap says what is there, and the link leads on.
      if (event.pointerType === "touch") {
        event.preventDefault();
        say(i, at(event.clientY), true);
      } else if (location.hash === link.getAttribute("href")) restore();
    });
    link.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -links.length, End: links.length }[event.key];
      const down = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (step) {
        const next = Math.max(0, Math.min(links.length - 1, i + step));
        links[next].focus({ preventScroll: true });
      } else if (down) {
        const shown = rows();
        const next = shown.indexOf(row) + down;
        row = shown[Math.min(next, shown.length - 1)] || null;
        say(i, row);
        (row || reel).scrollIntoView({ block: "nearest" });
      } else if (event.key === "Escape") hide();
      else return;
      event.preventDefault();
    });
  });
  stop(current);
  reel.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") hide(); });
  reel.addEventListener("scroll", () => { if (!links.includes(document.activeElement)) hide(); });
  document.addEventListener("pointerdown", (event) => { if (!chart.contains(event.target)) hide(); });

  function apply() {
    if (select)
      for (const panel of panels) panel.hidden = panel.dataset.metric !== select.value;
    hide();
  }

  function remember() {
    const state = new URLSearchParams();
    if (select && select.selectedIndex > 0) state.set("metric", select.value);
    if (all && all.checked) state.set("all", "1");
    const hash = state.toString();
    history.replaceState(null, "", location.href.split("#")[0] + (hash && `#${hash}`));
  }

  function restore() {
    const target = document.getElementById(location.hash.slice(1));
    if (target && target.matches("details.run, #older")) {
      target.open = true;
      target.scrollIntoView();
      (target.querySelector("summary") || target).focus({ preventScroll: true });
      hide();
      return;
    }
    if (target) { // Another place on the page, such as a metric, whose entry may be folded.
      const fold = target.closest("details");
      if (fold) fold.open = true;
      target.scrollIntoView();
      return;
    }
    const state = new URLSearchParams(location.hash.slice(1));
    if (select) {
      if (state.has("metric")) select.value = state.get("metric");
      else select.selectedIndex = 0;
      if (select.selectedIndex < 0) select.selectedIndex = 0;
    }
    if (all) all.checked = state.has("all");
    apply();
  }

  for (const control of [select, all])
    if (control) control.addEventListener("input", () => { apply(); remember(); });
  if (select) {
    select.form.hidden = false;
    select.form.addEventListener("submit", (event) => event.preventDefault());
  }
  addEventListener("hashchange", restore);
  chart.classList.add("with-script");
  apply();
  restore();
})();
