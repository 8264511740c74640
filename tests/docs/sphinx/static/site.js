// SPDX-License-Identifier: GPL-3.0-or-later
// What keyboards and screen readers miss in the pages of Sphinx, the theme and antsibull-docs.
"use strict";

function reachScrolling() {
  for (const box of document.querySelectorAll("pre, .table-wrapper")) {
    box.toggleAttribute("tabindex", box.scrollWidth > box.clientWidth);
    if (box.hasAttribute("tabindex")) box.tabIndex = 0;
  }
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".caption[role=heading]").forEach((caption) => caption.setAttribute("aria-level", "2"));
  document.querySelectorAll("[aria-role]").forEach((link) => link.removeAttribute("aria-role"));
  document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "All pages");
  document.querySelector(".toc-drawer")?.setAttribute("aria-label", "On this page");
  reachScrolling();
});
window.addEventListener("resize", reachScrolling);
