// The figures of the page: what their plots show, their switches, and drawing again when the width changes.

const read = id => JSON.parse(document.getElementById(id).textContent);
const runs = read("runs"), legends = read("legends"), distributions = read("distributions");

const KINDS = { latency: "from the intended send", service_time: "service time", sink: "sink, the floor" };
const SERIES = { p50: "p50", p99: "p99", max: "max" };

const named = (run, text) => legends.length === 1 ? text : text ? `${legends[run].name}, ${text}` : legends[run].name;

const FIGURES = {
  percentiles: {
    switches: figure => ({ scale: ["linear", "log"], start: spread(curvesOf(figure)) > 30 ? "log" : "linear" }),
    kinds: figure => KINDS,
    panels: (figure, state, width) => {
      const curves = curvesOf(figure).filter(curve => state.shows(curve.run, curve.kind));
      const values = curves.flatMap(curve => curve.points.map(point => point[1]));
      const last = Math.max(100, ...curves.map(curve => curve.points.at(-1)[0]));
      const decades = Math.ceil(Math.log10(last) - 0.05);
      const nines = [1, 2, ...Array.from({ length: decades }, (_, power) => 10 ** (power + 1))];
      const high = Math.max(...values, 1);
      return [{
        title: "Latency by percentile",
        height: width < 600 ? 280 : 380,
        x: {
          scale: logarithmic(1, 10 ** decades),
          ticks: nines.map(at => ({ at, label: percentText(at) })),
          text: percentText,
        },
        y: {
          scale: state.scale === "log" ? logarithmicAround(values) : linearFromZero(high, 6),
          tick: latencyTick,
          text: latencyText,
        },
        lines: curves.map(curve => ({
          name: named(curve.run, curvesOf(figure).length > legends.length ? KINDS[curve.kind] : ""),
          colour: legends[curve.run].colour,
          kind: curve.kind,
          points: curve.points,
          thinFrom: curve.count / 10,
        })),
      }];
    },
  },

  timeline: {
    switches: () => runs.length === 1 ? {} : { series: Object.keys(SERIES), start: ["p99", "p50"].find(toldByAll) ?? "max" },
    kinds: () => runs.length === 1 ? SERIES : {},
    panels: (figure, state, width) => {
      const last = Math.max(...runs.map(run => run.timeline.at(-1)?.second ?? 0));
      const scale = linear(0, Math.max(last, 1), width < 600 ? 5 : 10);
      const ticks = scale.ticks.filter(Number.isInteger).map(at => ({ at, label: `${at} s` }));
      const x = { scale, ticks, text: at => `second ${at}` };
      const panels = [latencies(state), rates(state), ...troubles(state)];
      return panels.map((panel, index) => ({ ...panel, x: { ...x, hidden: index < panels.length - 1 } }));
    },
  },

  steps: {
    switches: () => ({ scale: ["linear", "log"], start: "log" }),
    kinds: () => ({ p50: "p50", p99: "p99", p999: "p99.9" }),
    panels: (figure, state, width) => {
      const lines = runs.flatMap((run, index) =>
        ["p50", "p99", "p99.9"].map(name => stepLine(run, index, name)))
        .filter(line => line.points.length > 0 && state.shows(line.run, line.kind));
      const points = lines.flatMap(line => line.points);
      const high = Math.max(...points.map(point => point[0]), 1);
      const scale = linearFromZero(high, width < 600 ? 4 : 8);
      const values = points.map(point => point[1]);
      return [{
        title: "Latency by rate asked for, records/s",
        height: width < 600 ? 260 : 320,
        x: { scale, ticks: scale.ticks.map(at => ({ at, label: countTick(at) })), text: at => `${countText(at)} records/s` },
        y: {
          scale: state.scale === "log" ? logarithmicAround(values) : linearFromZero(Math.max(...values, 1), 5),
          tick: latencyTick,
          text: latencyText,
        },
        lines,
      }];
    },
  },
};

// A second with few samples has no p99.
const tells = (run, name) => run.timeline.some(second => second[name] !== undefined);
const toldByAll = name => runs.every(run => run.timeline.length === 0 || tells(run, name));

const curvesOf = figure => distributions.find(({ key }) => key === figure.dataset.of).curves;

function spread(curves) {
  const values = curves.filter(curve => curve.kind === "latency").flatMap(curve => curve.points.map(point => point[1]));
  return Math.max(...values) / Math.max(Math.min(...values), 1);
}

function bySecond(run, of) {
  const points = [];
  let next = run.timeline[0]?.second;
  for (const second of run.timeline) {
    if (second.second !== next) points.push([next, null]);
    points.push([second.second, of(second) ?? null]);
    next = second.second + 1;
  }
  return points;
}

const lineOf = (run, kind, name, of, more) => ({
  run, kind, name,
  colour: legends[run].colour,
  points: bySecond(runs[run], of),
  ...more,
});

const everyRun = of => runs.flatMap((run, index) => run.timeline.length > 0 ? of(run, index) : []);
const most = lines => Math.max(0, ...lines.flatMap(line => line.points.map(point => point[1] ?? 0)));

function latencies(state) {
  const series = runs.length === 1 ? Object.keys(SERIES) : [state.series];
  const lines = everyRun((run, index) => series.map(name =>
      lineOf(index, runs.length === 1 ? name : "p50", named(index, runs.length === 1 ? name : ""), second => second[name])))
    .filter(line => state.shows(line.run, line.kind));
  const silent = runs.filter(run => run.timeline.length > 0 && series.some(name => !tells(run, name)));
  const few = silent.length > 0 ? " (where there are samples enough)" : "";
  return {
    title: runs.length === 1 ? `Latency${few}` : `Latency, ${state.series} of each second${few}`,
    height: 220,
    y: { scale: logarithmicAround(lines.flatMap(line => line.points.map(point => point[1] ?? 0))), tick: latencyTick, text: latencyText },
    lines,
  };
}

function rates(state) {
  const lines = everyRun((run, index) => [
    run.produce && lineOf(index, "p50", named(index, "acknowledged"), second => second.records),
    run.consume && lineOf(index, "max", named(index, "consumed"), second => second.consumed_records),
  ].filter(Boolean)).filter(line => state.showsRun(line.run));
  // Several rates, or one that rises, are no level line.
  const level = run => !(run.steps?.length > 0) && !run.options.load?.includes("..");
  const asked = runs.filter(level).map(run => run.produce?.intended_records_per_second).filter(Boolean);
  const rules = [...new Set(asked)].map(at => ({ at }));
  const consumed = lines.some(line => line.kind === "max") ? "; dotted: consumed" : "";
  return {
    title: `Records/s${consumed}${rules.length > 0 ? "; dashed: asked for" : ""}`,
    height: 150,
    y: { scale: linearFromZero(Math.max(most(lines), ...rules.map(rule => rule.at), 1), 3), tick: countTick, text: countText },
    lines,
    rules,
  };
}

// Told only where there is something to tell.
function troubles(state) {
  const panel = (title, name, bars) => {
    const lines = everyRun((run, index) => [lineOf(index, "p50", named(index, name), second => second[name], { bars })])
      .filter(line => state.showsRun(line.run));
    return { title, height: 110, y: { scale: linearFromZero(Math.max(most(lines), 1), 2), tick: countTick, text: countText }, lines };
  };
  return [panel("Backlog: requests due and not acknowledged", "backlog", false), panel("Errors", "errors", true)]
    .filter(({ lines }) => most(lines) > 0);
}

function stepLine(run, index, name) {
  const steps = [...run.steps ?? []].sort((one, other) => one.rate - other.rate);
  const known = steps.filter(step => step.latency.percentiles[name] !== undefined);
  return {
    run: index,
    kind: name.replace(".", ""),
    name: named(index, name),
    colour: legends[index].colour,
    points: known.map(step => [step.rate, step.latency.percentiles[name]]),
    marks: known.map(step => ({
      at: step.rate,
      value: step.latency.percentiles[name],
      missed: step.held === false || step.backlog_grows,
    })),
  };
}

// Switches and legend above, panels below.
function mount(figure) {
  const kind = FIGURES[figure.dataset.plot];
  const { start, ...switches } = kind.switches(figure);
  const [choice] = Object.keys(switches);
  const hidden = new Set();
  const state = {
    [choice]: start,
    showsRun: run => !hidden.has(`run ${run}`),
    shows: (run, kind) => !hidden.has(`run ${run}`) && !hidden.has(`kind ${kind}`),
  };
  const panels = figure.querySelector(".panels");
  let drawn = [];

  const hover = (at, active) => {
    for (const { panel, geometry, spec } of drawn) point(panel, geometry, spec, at, panel === active);
  };
  const redraw = () => {
    const width = Math.floor(panels.clientWidth);
    if (width < 100) return;
    const specs = kind.panels(figure, state, width);
    // One margin, so that the same second stands at the same place in every panel.
    const left = Math.max(...specs.map(margin));
    drawn = specs.map(spec => {
      const panel = html("div", { class: "panel" });
      return { panel, spec, geometry: draw(panel, left, width, spec, hover) };
    });
    panels.replaceChildren(...drawn.map(({ panel }) => panel));
  };

  const toggle = (key, ...content) => {
    const button = html("button", { type: "button", "aria-pressed": "true" }, ...content);
    button.addEventListener("click", () => {
      if (!hidden.delete(key)) hidden.add(key);
      button.setAttribute("aria-pressed", String(!hidden.has(key)));
      redraw();
    });
    return button;
  };
  const controls = figure.querySelector(".controls");
  if (legends.length > 1) {
    controls.append(html("span", { class: "legend" }, ...legends.map((legend, index) =>
      toggle(`run ${index}`, html("i", { class: `swatch c${legend.colour}` }), legend.name))));
  }
  const kinds = usedKinds(figure, kind);
  if (kinds.length > 1) {
    const colour = legends.length === 1 ? legends[0].colour : "n";
    controls.append(html("span", { class: "legend" }, ...kinds.map(([name, text]) =>
      toggle(`kind ${name}`, sample({ colour, kind: name }), text))));
  }
  if (choice) controls.append(chooser(switches[choice], start, value => { state[choice] = value; redraw(); }));

  let width = 0;
  new ResizeObserver(() => {
    if (panels.clientWidth !== width) { width = panels.clientWidth; redraw(); }
  }).observe(panels);
  redraw();
}

function usedKinds(figure, kind) {
  const all = Object.entries(kind.kinds(figure));
  if (figure.dataset.plot !== "percentiles") return all;
  return all.filter(([name]) => curvesOf(figure).some(curve => curve.kind === name));
}

function chooser(values, start, choose) {
  const buttons = values.map(value => html("button", { type: "button", "aria-pressed": String(value === start) }, value));
  buttons.forEach((button, index) => button.addEventListener("click", () => {
    for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
    choose(values[index]);
  }));
  return html("span", { class: "choice", role: "group" }, ...buttons);
}

for (const figure of document.querySelectorAll("figure.plot")) mount(figure);

const save = document.getElementById("save");
const saved = runs.length === 1 ? runs[0] : runs;
save.href = URL.createObjectURL(new Blob([JSON.stringify(saved)], { type: "application/json" }));
save.hidden = false;
