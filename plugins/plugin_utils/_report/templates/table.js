// SPDX-License-Identifier: GPL-3.0-or-later
// Filters, sorts and folds the table of nodes. The page can be read in full without it.
"use strict";
(() => {
  const FOLD = 50;
  document.documentElement.classList.add("js");
  const table = document.getElementById("matrix");
  const body = table.tBodies[0];
  const controls = document.getElementById("controls");
  const find = document.getElementById("find");
  const found = document.getElementById("found");
  const more = document.getElementById("more");
  const heads = [...table.tHead.rows[0].cells];
  const names = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  let rows = [...body.rows].map((row) => ({ row, text: row.textContent.toLowerCase() + " " + row.dataset.node.toLowerCase() }));
  let folded = true;

  const shown = () => controls.elements.show.value;

  function wanted({ row, text }) {
    const only = shown();
    if (only === "troubled" ? !("troubled" in row.dataset) : only && row.dataset.condition !== only) return false;
    return find.value.toLowerCase().split(/\s+/).every((word) => text.includes(word));
  }

  function show() {
    let matching = 0;
    for (const item of rows) {
      const match = wanted(item);
      matching += match;
      item.row.hidden = !match || (folded && matching > FOLD);
    }
    const over = folded ? Math.max(0, matching - FOLD) : 0;
    more.hidden = over === 0;
    more.textContent = `Show the other ${over} nodes`;
    document.getElementById("matrix-scroll").classList.toggle("tall", !folded && matching > FOLD);
    const all = matching === rows.length ? `${matching} nodes` : `${matching} of ${rows.length} nodes`;
    found.textContent = over ? `${all}, the first ${FOLD} shown` : all;
  }

  function sort(column, descending) {
    const numeric = heads[column].dataset.sort === "number";
    const value = ({ row }) => (numeric ? Number(row.cells[column].dataset.value) : row.cells[column].textContent.trim());
    const compare = (one, two) => (numeric ? value(one) - value(two) : names.compare(value(one), value(two)));
    rows.sort((one, two) => (descending ? -1 : 1) * compare(one, two) || names.compare(one.row.dataset.node, two.row.dataset.node));
    body.append(...rows.map((item) => item.row));
    heads.forEach((head, index) => {
      if (index === column) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    show();
  }

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(column, head.getAttribute("aria-sort") === "ascending"));
    head.append(button);
  });
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("input", () => {
    folded = true;
    show();
  });
  more.addEventListener("click", () => {
    folded = false;
    const first = rows.find((item) => item.row.hidden && wanted(item));
    show();
    first?.row.querySelector("button")?.focus();
  });
  for (const link of document.querySelectorAll("a[data-filter]")) {
    link.addEventListener("click", () => {
      const choice = [...controls.elements.show].find((input) => input.value === link.dataset.filter);
      if (choice) choice.checked = true;
      folded = true;
      show();
    });
  }
  controls.hidden = false;
  show();
})();
