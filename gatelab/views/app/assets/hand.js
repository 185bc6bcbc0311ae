// What a person flips, draws or moves becomes the text of the input; the server reads only that text.
(() => {
  "use strict";
  const LEVELS = "0123456789abcdefg";
  let hand = null, text = "", shape = "";

  function write(changed) {
    text = changed;
    dash_clientside.set_props("written", { value: changed });
  }

  function element(kind, attributes, ...children) {
    const made = document.createElement(kind);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function tool(words, act) {
    const button = element("button", { type: "button" }, words);
    button.addEventListener("click", act);
    return button;
  }

  // The arrows go from cell to cell, so that the tab key need not go through all of them.
  function walk(grid, columns) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    grid.addEventListener("keydown", (event) => {
      const cells = [...grid.children], next = cells[cells.indexOf(document.activeElement) + steps[event.key]];
      if (!next) return;
      event.preventDefault();
      for (const cell of cells) cell.tabIndex = cell === next ? 0 : -1;
      next.focus();
    });
  }

  // Bits: a button each.
  const bits = {
    shape: (written) => written.replace(/\s/g, "").length,
    make(count) {
      const grid = element("div", { class: "grid bits", role: "group", "aria-label": "bits" });
      grid.style.gridTemplateColumns = `repeat(${Math.min(count, 13)}, auto)`;
      for (let place = 0; place < count; place++) {
        const cell = element("button", { type: "button", tabindex: place ? -1 : 0 });
        cell.addEventListener("click", () => {
          const all = [...text.replace(/\s/g, "")];
          all[place] = all[place] === "1" ? "0" : "1";
          write(all.join(""));
        });
        grid.append(cell);
      }
      walk(grid, 13);
      const longer = tool("one more", () => write(`${text.trim()}0`));
      const shorter = tool("one less", () => write(text.trim().slice(0, -1)));
      return [grid, element("div", { class: "tools" }, longer, shorter)];
    },
    fill(written, surface) {
      const all = written.replace(/\s/g, "");
      [...surface.querySelectorAll(".grid button")].forEach((cell, place) => {
        cell.textContent = all[place];
        cell.setAttribute("aria-pressed", all[place] === "1");
        cell.setAttribute("aria-label", `bit ${place + 1}: ${all[place]}`);
      });
    },
  };

  // A picture: press and move. A stroke takes the points around it along, a little darker.
  const picture = {
    shape: () => `${hand.rows}x${hand.columns}`,
    levels(written) {
      const rows = written.trim().toLowerCase().split(/\s+/);
      return Array.from({ length: hand.rows * hand.columns }, (_, place) => {
        const letter = (rows[Math.floor(place / hand.columns)] || "")[place % hand.columns] || "0";
        return Math.max(LEVELS.indexOf(letter), 0);
      });
    },
    write(levels) {
      const rows = Array.from({ length: hand.rows }, (_, row) =>
        levels.slice(row * hand.columns, (row + 1) * hand.columns).map((level) => LEVELS[level]).join(""));
      write(rows.join("\n"));
    },
    make() {
      const grid = element("div", { class: "grid picture", role: "group", "aria-label": "picture" });
      const size = Math.max(9, Math.floor(224 / hand.columns));
      grid.style.gridTemplateColumns = `repeat(${hand.columns}, ${size}px)`;
      grid.style.gridAutoRows = `${size}px`;
      let brush = null;
      const stroke = (cell) => {
        if (!cell || cell.parentNode !== grid) return;
        const levels = picture.levels(text), place = [...grid.children].indexOf(cell), column = place % hand.columns;
        const around = [column ? place - 1 : -1, column < hand.columns - 1 ? place + 1 : -1, place - hand.columns, place + hand.columns];
        if (levels[place] === brush) return;
        levels[place] = brush;
        if (brush) for (const near of around) if (levels[near] !== undefined) levels[near] = Math.max(levels[near], hand.columns > 8 ? 9 : 3);
        picture.write(levels);
        picture.fill(text, grid.parentNode);
      };
      for (let place = 0; place < hand.rows * hand.columns; place++) {
        const cell = element("button", { type: "button", tabindex: place ? -1 : 0 });
        cell.addEventListener("click", (event) => {
          if (event.detail) return;  // Of a pointer, whose stroke is drawn already.
          brush = picture.levels(text)[place] > 8 ? 0 : 16;
          stroke(cell);
        });
        grid.append(cell);
      }
      grid.addEventListener("pointerdown", (event) => {
        const place = [...grid.children].indexOf(event.target);
        if (place < 0) return;
        event.target.releasePointerCapture(event.pointerId);
        brush = picture.levels(text)[place] > 8 ? 0 : 16;
        stroke(event.target);
      });
      grid.addEventListener("pointermove", (event) => {
        if (event.buttons) stroke(document.elementFromPoint(event.clientX, event.clientY));
      });
      walk(grid, hand.columns);
      return [grid, element("div", { class: "tools" }, tool("clear", () => picture.write(picture.levels(""))))];
    },
    fill(written, surface) {
      const levels = picture.levels(written);
      [...surface.querySelectorAll(".grid button")].forEach((cell, place) => {
        cell.style.setProperty("--level", levels[place]);
        cell.setAttribute("aria-label",
          `row ${Math.floor(place / hand.columns) + 1}, column ${(place % hand.columns) + 1}: ${levels[place]}`);
      });
    },
  };

  // Points of a series: a slider a step, over a range that the numbers leave room in.
  const points = {
    steps: (written) => {
      const all = written.trim().split(/[\s,;]+/).map(Number);
      return Array.from({ length: Math.floor(all.length / hand.columns) }, (_, step) => all.slice(step * hand.columns, (step + 1) * hand.columns));
    },
    shape: (written) => points.steps(written).length,
    make(count) {
      const row = element("div", { class: "points", role: "group", "aria-label": "points" });
      for (let place = 0; place < count; place++) {
        const slider = element("input", { type: "range", step: "any", "aria-label": `step ${place + 1}` });
        slider.addEventListener("input", () => {
          const steps = points.steps(text);
          steps[place][hand.target] = Number(Number(slider.value).toFixed(hand.decimals));
          write(steps.map((step) => step.join(", ")).join(hand.columns > 1 ? "\n" : ", "));
        });
        row.append(slider);
      }
      return [row];
    },
    fill(written, surface) {
      const values = points.steps(written).map((step) => step[hand.target]);
      const low = Math.min(...values), high = Math.max(...values), room = (high - low || Math.abs(high) || 1) / 2;
      [...surface.querySelectorAll("input")].forEach((slider, place) => {
        if (slider === document.activeElement) return;  // Its range would move away below the hand.
        slider.min = low - room;
        slider.max = high + room;
        slider.value = values[place];
      });
    },
  };

  const SURFACES = { bits, picture, points };

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    gatelab: {
      show(written, given) {
        if (!given) return dash_clientside.no_update;
        const surface = document.getElementById("surface"), kind = SURFACES[given.surface];
        hand = given;
        text = written || "";
        const wanted = kind ? `${given.task} ${kind.shape(text)}` : "";
        if (wanted !== shape) surface.replaceChildren(...(kind ? kind.make(kind.shape(text)) : []));
        shape = wanted;
        if (kind) kind.fill(text, surface);
        return dash_clientside.no_update;
      },
    },
  });
})();
