// Draws zones and tripwires on the picture: clicks and keys become the numbers of the form, which are what
// is sent. Without this file they are typed.
"use strict";
(() => {
  const board = document.getElementById("board");
  const svg = board.querySelector("svg");
  const shapes = [...document.querySelectorAll("fieldset[data-shape]")];
  const isWire = (shape) => shape.dataset.shape === "tripwire";
  const field = (shape) => shape.querySelector("textarea");
  const within = (number) => Math.min(1, Math.max(0, number));

  const read = (shape) => {
    const numbers = (field(shape).value.match(/-?(\d+\.?\d*|\.\d+)(e-?\d+)?/gi) || []).map(Number);
    const points = [];
    for (let at = 0; at + 1 < numbers.length; at += 2) points.push([numbers[at], numbers[at + 1]]);
    return points;
  };
  const write = (shape, points) => {
    const one = (number) => String(Math.round(within(number) * 1000) / 1000);
    field(shape).value = points.map((point) => point.map(one).join(" ")).join(", ");
    draw();
  };

  let current = shapes.find((shape) => !read(shape).length) || shapes[0];

  const draw = () => {
    svg.replaceChildren(...shapes.map((shape) => {
      const kind = isWire(shape) ? "polyline" : "polygon";
      const outline = document.createElementNS("http://www.w3.org/2000/svg", kind);
      outline.setAttribute("points", read(shape).map((point) => point.join(",")).join(" "));
      if (shape === current) outline.classList.add("current");
      return outline;
    }));
    const points = read(current);
    const corners = [...board.querySelectorAll("button")];
    while (corners.length > points.length) corners.pop().remove();
    while (corners.length < points.length) corners.push(board.appendChild(corner()));
    points.forEach(([x, y], at) => {
      corners[at].style.left = `${within(x) * 100}%`;
      corners[at].style.top = `${within(y) * 100}%`;
      corners[at].setAttribute("aria-label", `${board.dataset.corner} ${at + 1}: ${x} ${y}`);
    });
    for (const shape of shapes) {
      shape.querySelector("[data-do=choose]").setAttribute("aria-pressed", String(shape === current));
    }
  };

  const choose = (shape) => { current = shape; draw(); };
  const add = (point) => {
    const points = read(current);
    write(current, isWire(current) && points.length > 1 ? [point] : [...points, point]);
  };
  const place = (event) => {
    const box = board.getBoundingClientRect();
    return [within((event.clientX - box.left) / box.width), within((event.clientY - box.top) / box.height)];
  };
  const position = (button) => [...board.querySelectorAll("button")].indexOf(button);
  const move = (button, to) => {
    const points = read(current);
    points[position(button)] = to(points[position(button)]);
    write(current, points);
  };

  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  function corner() {
    const button = document.createElement("button");
    button.type = "button";
    button.addEventListener("pointerdown", (event) => button.setPointerCapture(event.pointerId));
    button.addEventListener("pointermove", (event) => {
      if (button.hasPointerCapture(event.pointerId)) move(button, () => place(event));
    });
    button.addEventListener("click", (event) => event.stopPropagation());
    button.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (step) {
        const far = event.shiftKey ? 0.1 : 0.01;
        move(button, ([x, y]) => [x + step[0] * far, y + step[1] * far]);
      } else if (event.key === "Delete" || event.key === "Backspace") {
        const at = position(button);
        write(current, read(current).filter((_, other) => other !== at));
        const left = board.querySelectorAll("button");
        (left[Math.min(at, left.length - 1)] || field(current)).focus();
      } else {
        return;
      }
      event.preventDefault();
    });
    return button;
  }

  board.addEventListener("click", (event) => add(place(event)));
  for (const shape of shapes) {
    const buttons = shape.querySelector(".choices");
    buttons.hidden = false;
    field(shape).addEventListener("input", draw);
    shape.addEventListener("focusin", () => { if (shape !== current) choose(shape); });
    buttons.addEventListener("click", (event) => {
      const deed = event.target.dataset.do;
      choose(shape);
      if (deed === "choose") board.scrollIntoView({ block: "nearest" });
      if (deed === "remove") write(shape, read(shape).slice(0, -1));
      if (deed === "add") {
        add([0.5, 0.5]);
        [...board.querySelectorAll("button")].at(-1).focus();
      }
    });
  }
  board.classList.add("live");
  draw();
})();
