// Keeps a page fresh: ages tick, and the parts marked `data-live` follow the gateway.
// Without it the page is whole, only still. What a reader has opened or focused stays so.
"use strict";
(() => {
  const { feed, ages } = document.body.dataset;
  const units = ages.split("|");
  const title = document.title;
  const find = (id) => document.getElementById(id);
  const all = (root, selector) => [...root.querySelectorAll(selector)];

  // Ages ----------------------------------------------------------------------------------------

  let clock; // the gateway's time when the page was made, and ours since
  const setClock = () => {
    const { now, speed } = find("strip").dataset;
    clock = { now: Number(now), speed: Number(speed), from: performance.now() };
  };
  const age = (seconds) => {
    if (seconds < 60) return Math.floor(seconds) + units[0];
    if (seconds < 3600) return Math.floor(seconds / 60) + units[1];
    if (seconds < 36000) {
      const minutes = Math.floor((seconds % 3600) / 60);
      return `${Math.floor(seconds / 3600)}${units[2]} ${minutes}${units[1]}`;
    }
    if (seconds < 172800) return Math.floor(seconds / 3600) + units[2];
    return Math.floor(seconds / 86400) + units[3];
  };
  const tick = () => {
    const now = clock.now + (performance.now() - clock.from) * clock.speed;
    for (const time of all(document, "time[data-since]")) {
      const since = Number(time.dataset.since);
      const text = age(Math.max(0, now - since) / 1000);
      if (time.textContent !== text) time.textContent = text;
      if (!time.title) time.title = new Date(since).toLocaleString(document.documentElement.lang);
    }
  };

  let later;

  // Parts ---------------------------------------------------------------------------------------

  const stamp = (card) => card.dataset.key + " " + card.dataset.rev;
  const controls = (root) => all(root, "a, button, summary, input, select");
  const fields = (root) => all(root, "input:not([type=hidden]), select");

  const focusIn = (part) => {
    const active = document.activeElement;
    if (!part.contains(active)) return () => {};
    const key = active.closest("[data-key]")?.dataset.key;
    const scope = () => all(part, "[data-key]").find((card) => card.dataset.key === key) ?? part;
    const at = controls(scope()).indexOf(active);
    return () => controls(scope())[at]?.focus({ preventScroll: true });
  };

  const renew = (part, fresh) => {
    const before = new Map(all(part, "[data-key]").map((card) => [card.dataset.key, card]));
    const cards = all(fresh, "[data-key]");
    if (before.size && [...before.values()].map(stamp).join() === cards.map(stamp).join()) return;

    const news = [];
    const restoreFocus = focusIn(part);
    for (const card of cards) {
      const was = before.get(card.dataset.key);
      const isNew = !was || Number(card.dataset.level) < Number(was.dataset.level);
      if (isNew && card.dataset.say) news.push(card.dataset.say);
      if (!was) continue;
      if (stamp(was) === stamp(card)) {
        card.replaceWith(was);
      } else {
        const open = all(was, "details").map((details) => details.open);
        all(card, "details").forEach((details, at) => { details.open = Boolean(open[at]); });
        const typed = fields(was);
        fields(card).forEach((field, at) => {
          if (typed[at]?.name !== field.name) return;
          field.value = typed[at].value;
          field.checked = typed[at].checked;
        });
      }
    }
    for (const { name, value } of fresh.attributes) part.setAttribute(name, value);
    part.replaceChildren(...fresh.childNodes);
    restoreFocus();
    if (!news.length) return;
    find("news").textContent = news.join(". ");
    document.dispatchEvent(new CustomEvent("gatehouse:news", { detail: news }));
  };

  const count = () => {
    const open = find("events")?.dataset.count;
    document.title = Number(open) ? `(${open}) ${title}` : title;
  };

  const keys = () => all(document, "#events [data-key]").map((card) => card.dataset.key).join();

  const freshen = (html) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    const before = keys();
    for (const fresh of all(page, "[data-live]")) {
      const part = find(fresh.id);
      if (part) renew(part, fresh);
    }
    setClock();
    tick();
    count();
    lost(false);
    // An event that came or went changes what else stands on the page.
    if (feed && before !== keys()) {
      clearTimeout(later);
      later = setTimeout(poll, 1000);
    }
  };

  const lost = (is) => {
    const notice = find("lost");
    notice.hidden = !is;
    notice.textContent = is ? notice.dataset.text : "";
  };

  // The line ------------------------------------------------------------------------------------

  const poll = async () => {
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (new URL(answer.url).pathname === "/login") location.assign(answer.url);
      else if (answer.ok) freshen(await answer.text());
      else lost(true);
    } catch {
      lost(true);
    }
  };

  let source;
  let timer;
  const listen = () => {
    source = new EventSource(feed);
    source.addEventListener("page", (message) => freshen(JSON.parse(message.data)));
    source.onerror = () => {
      lost(true);
      // Refused, not interrupted: the browser gives up, so ask what is the matter and begin again.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(() => { poll(); watch(); }, 5000);
    };
  };

  // A browser has six connections to one host; pages in the background must not hold them.
  const watch = () => {
    source?.close();
    clearTimeout(timer);
    clearInterval(timer);
    if (feed && !document.hidden) listen();
    else timer = setInterval(poll, document.hidden ? 30000 : 5000);
  };

  setClock();
  tick();
  count();
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !feed) poll();
    watch();
  });
  watch();
})();
