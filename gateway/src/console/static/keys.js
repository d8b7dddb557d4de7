// Shortcuts for those who work with the keyboard. Single letters can be turned off in their own help
// (WCAG 2.1.4), and do nothing while somebody types.
"use strict";
(() => {
  const help = document.getElementById("keys");
  const on = document.getElementById("keys-on");
  on.checked = localStorage.getItem("keys") !== "off";
  on.addEventListener("change", () => localStorage.setItem("keys", on.checked ? "on" : "off"));

  const cards = () => [...document.querySelectorAll("#events [data-key], .past [data-key]")];
  const current = () => document.activeElement?.closest("[data-key]");

  const go = (step) => {
    const all = cards();
    if (!all.length) return;
    const at = all.indexOf(current());
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step;
    const card = all[Math.min(Math.max(next, 0), all.length - 1)];
    card.querySelector("a")?.focus();
    card.scrollIntoView({ block: "nearest" });
  };

  const does = {
    j: () => go(1),
    k: () => go(-1),
    x: () => current()?.querySelector("input[type=checkbox]")?.click(),
    a: () => {
      const one = current() ?? document.getElementById("deeds");
      one?.querySelector("[data-acknowledge], button[value=acknowledge]")?.click();
    },
    "/": () => document.getElementById("seek")?.focus(),
    "?": () => help.showModal(),
  };

  document.addEventListener("keydown", (event) => {
    const types = event.target.closest?.("input:not([type=checkbox]), select, textarea");
    const held = event.ctrlKey || event.altKey || event.metaKey || event.isComposing;
    const act = does[event.key];
    if (!act || types || held || help.open || !(on.checked || event.key === "?")) return;
    event.preventDefault();
    act();
  });
})();
