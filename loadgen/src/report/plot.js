// One plot: axes, lines, marks, and what stands under the pointer.

// The name of the namespace is a web address, which this page is free of: the parser knows it.
const parsed = document.createElement("template");
parsed.innerHTML = "<svg></svg>";
const SVG = parsed.content.firstChild.namespaceURI;

function svg(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function html(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const px = value => value.toFixed(1);

// A path; a hole in the data is a hole in the line.
function pathOf(points, x, y) {
  let text = "", pen = "M";
  for (const [at, value] of points) {
    if (value === null) { pen = "M"; continue; }
    text += `${pen}${px(x(at))} ${px(y(value))}`;
    pen = "L";
  }
  return text;
}

// Where labels stand: inside the plot, and those left out that would meet their neighbour.
function placed(ticks, x, width) {
  let free = -Infinity;
  return ticks.flatMap(({ at, label }) => {
    const half = letters(label) / 2;
    const middle = Math.min(Math.max(x(at), half), width - half);
    if (middle - half < free) return [];
    free = middle + half + 10;
    return [{ at, label, middle }];
  });
}

const letters = text => text.length * 7.2;

// Room for the labels of the y axis.
const margin = spec => 14 + Math.max(...spec.y.scale.ticks.map(tick => letters(spec.y.tick(tick))));

// `spec`: title, height, x {scale, ticks [{at, label}], text}, y {scale, tick, text},
// lines [{name, colour, kind, points, thinFrom, marks, bars}], rules [{at, name}].
function draw(panel, left, width, spec, onHover) {
  const [right, top, bottom] = [14, 8, spec.x.hidden ? 8 : 26];
  const inner = { width: width - left - right, height: spec.height - top - bottom };
  const x = value => left + spec.x.scale.at(value) * inner.width;
  const y = value => top + (1 - spec.y.scale.at(value)) * inner.height;
  const root = svg("svg", { width, height: spec.height, role: "img", "aria-label": spec.title });

  for (const tick of spec.y.scale.ticks) {
    root.append(
      svg("line", { class: "grid", x1: left, x2: width - right, y1: px(y(tick)), y2: px(y(tick)) }),
      svg("text", { class: "tick y", x: left - 8, y: px(y(tick) + 4) }, spec.y.tick(tick)));
  }
  for (const { at, label, middle } of placed(spec.x.ticks, x, width)) {
    root.append(svg("line", { class: "grid faint", x1: px(x(at)), x2: px(x(at)), y1: top, y2: spec.height - bottom }));
    if (!spec.x.hidden) root.append(svg("text", { class: "tick x", x: px(middle), y: spec.height - 7 }, label));
  }
  for (const rule of spec.rules ?? []) {
    root.append(svg("line", { class: "rule", x1: left, x2: width - right, y1: px(y(rule.at)), y2: px(y(rule.at)) }));
  }
  for (const line of spec.lines) drawLine(root, line, x, y, inner.width);

  const cursor = svg("g", { class: "cursor" });
  root.append(cursor);
  panel.replaceChildren(html("h4", {}, spec.title), root);
  const geometry = { x, y, left, right: width - right, top, bottom: spec.height - bottom, cursor };
  root.addEventListener("pointermove", event => {
    const from = root.getBoundingClientRect().left;
    const unit = (event.clientX - from - left) / inner.width;
    onHover(spec.x.scale.value(Math.min(Math.max(unit, 0), 1)), panel);
  });
  root.addEventListener("pointerleave", () => onHover(null, panel));
  return geometry;
}

function drawLine(root, line, x, y, width) {
  const colour = `c${line.colour}`;
  if (line.bars) {
    const bar = Math.max(width / Math.max(line.points.length, 1) * 0.7, 1);
    for (const [at, value] of line.points) {
      if (value) {
        const height = Math.max(y(0) - y(value), 1);
        root.append(svg("rect", { class: `bar ${colour}`, x: px(x(at) - bar / 2), y: px(y(0) - height), width: px(bar), height: px(height) }));
      }
    }
    return;
  }
  const thin = line.thinFrom ?? Infinity;
  const solid = line.points.filter(([at]) => at <= thin);
  const rest = line.points.filter(([at]) => at > thin);
  root.append(svg("path", { class: `line ${colour} ${line.kind}`, d: pathOf(solid, x, y) }));
  if (rest.length > 0) {
    const joined = solid.slice(-1).concat(rest);
    root.append(svg("path", { class: `line thin ${colour} ${line.kind}`, d: pathOf(joined, x, y) }));
  }
  for (const { at, value, missed } of line.marks ?? []) {
    const [cx, cy] = [x(at), y(value)];
    root.append(missed
      ? svg("path", { class: "missed", d: `M${px(cx - 5)} ${px(cy - 5)}l10 10m0 -10l-10 10` })
      : svg("circle", { class: `mark ${colour}`, cx: px(cx), cy: px(cy), r: 4 }));
  }
}

// The point of a line nearest to a place on the x axis, on the scale as seen.
function nearest(line, scale, at) {
  let best = null, distance = Infinity;
  for (const point of line.points) {
    if (point[1] === null) continue;
    const away = Math.abs(scale.at(point[0]) - scale.at(at));
    if (away < distance) [best, distance] = [point, away];
  }
  return best;
}

// Hair line, dots and, in the panel under the pointer, the figures.
function point(panel, geometry, spec, at, active) {
  geometry.cursor.replaceChildren();
  panel.querySelector(".tip")?.remove();
  if (at === null) return;
  const found = spec.lines
    .map(line => ({ line, point: nearest(line, spec.x.scale, at) }))
    .filter(({ point }) => point !== null);
  if (found.length === 0) return;
  const place = geometry.x(at);
  geometry.cursor.append(svg("line", { class: "hair", x1: px(place), x2: px(place), y1: geometry.top, y2: geometry.bottom }));
  for (const { line, point: [x, value] } of found) {
    if (!line.bars) geometry.cursor.append(svg("circle", { class: `dot c${line.colour}`, cx: px(geometry.x(x)), cy: px(geometry.y(value)), r: 3 }));
  }
  if (!active) return;
  const rows = found.map(({ line, point }) => html("tr", {},
    html("th", {}, sample(line), line.name),
    html("td", {}, spec.y.text(point[1]))));
  const tip = html("div", { class: "tip" }, html("p", {}, spec.x.text(found[0].point[0])), html("table", {}, ...rows));
  panel.append(tip);
  const room = panel.clientWidth;
  const beside = place + 14 + tip.offsetWidth > room ? place - 14 - tip.offsetWidth : place + 14;
  tip.style.left = `${Math.max(0, Math.min(beside, room - tip.offsetWidth))}px`;
}

// How a line looks, for legends and tips.
function sample(line) {
  return svg("svg", { class: "sample", width: 22, height: 8, "aria-hidden": "true" },
    svg("path", { class: `line c${line.colour} ${line.kind}`, d: "M0 4L22 4" }));
}
