// Reads new events aloud, in the language of the page, where the browser can speak. Off until somebody
// turns it on, and remembered in this browser.
"use strict";
(() => {
  const button = document.getElementById("voice");
  if (!button || !("speechSynthesis" in window)) return;
  const language = document.documentElement.lang;

  const say = (text) => {
    // A pause after each part: what it is, then where.
    for (const part of text.split(/[,，。]\s*/).filter(Boolean)) {
      const words = new SpeechSynthesisUtterance(part);
      words.lang = language;
      words.rate = 0.9;
      speechSynthesis.speak(words);
    }
  };

  const show = (isOn) => button.setAttribute("aria-pressed", String(isOn));
  const isOn = () => button.getAttribute("aria-pressed") === "true";

  button.hidden = false;
  show(localStorage.getItem("voice") === "on");
  button.addEventListener("click", () => {
    const now = !isOn();
    show(now);
    localStorage.setItem("voice", now ? "on" : "off");
    speechSynthesis.cancel();
    say(now ? button.dataset.hello : button.dataset.bye);
  });
  document.addEventListener("gatehouse:news", (event) => {
    if (isOn()) event.detail.forEach(say);
  });
})();
