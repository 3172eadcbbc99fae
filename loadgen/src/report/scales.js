// Numbers as the tables write them, and the scales of the axes.

const threeDigits = value =>
  value === 0 ? "0"
  : value < 9.995 ? value.toFixed(2)
  : value < 99.95 ? value.toFixed(1)
  : Math.round(value).toLocaleString("en-US");

const latencyText = micros =>
  micros < 999.5 ? `${threeDigits(micros)} µs`
  : micros < 999500 ? `${threeDigits(micros / 1e3)} ms`
  : `${threeDigits(micros / 1e6)} s`;

const countText = value => Math.round(value).toLocaleString("en-US");

// Without needless digits, as an axis wants them.
const plain = value => String(Number(value.toPrecision(3)));
const latencyTick = micros =>
  micros === 0 ? "0"
  : micros < 1e3 ? `${plain(micros)} µs`
  : micros < 1e6 ? `${plain(micros / 1e3)} ms`
  : `${plain(micros / 1e6)} s`;
const countTick = value =>
  value < 1e3 ? countText(value)
  : value < 1e6 ? `${plain(value / 1e3)} k`
  : `${plain(value / 1e6)} M`;

// 1 / (1 - p) as p. A whole number of nines has no rounding to show.
const percentText = x => {
  const digits = Math.max(0, Math.ceil(Math.log10(x) - 1e-9) - 2);
  return `${(100 * (1 - 1 / x)).toFixed(Math.min(digits, 7))} %`;
};

// A scale maps values to the unit interval and knows where its ticks are.
function linear(low, high, wanted) {
  const span = high - low || 1;
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find(times => times * power >= rough);
  const ticks = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step) ticks.push(at);
  return { at: value => (value - low) / span, value: unit => low + unit * span, ticks };
}

// From zero, with room above the largest value.
function linearFromZero(high, wanted) {
  const { ticks } = linear(0, high, wanted);
  const step = ticks[1] - ticks[0];
  return linear(0, Math.max(Math.ceil(high / step - 1e-9), 1) * step, wanted);
}

function logarithmic(low, high) {
  const [from, to] = [Math.log10(low), Math.log10(high)];
  const span = to - from || 1;
  const steps = span > 3.2 ? [1] : [1, 2, 5];
  const ticks = [];
  for (let power = Math.floor(from); power <= to; power++) {
    for (const step of steps) {
      const at = step * 10 ** power;
      if (at >= low * 0.999 && at <= high * 1.001) ticks.push(at);
    }
  }
  return {
    at: value => (Math.log10(Math.max(value, low)) - from) / span,
    value: unit => 10 ** (from + unit * span),
    ticks,
  };
}

// Ends on 1, 2 or 5, so that the outermost ticks are the outermost lines.
function logarithmicAround(values) {
  let [low, high] = [Infinity, 0];
  for (const value of values) {
    if (value > 0) low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (!(high > 0)) [low, high] = [1, 10];
  const round = (value, up) => {
    const power = 10 ** Math.floor(Math.log10(value));
    const steps = [1, 2, 5, 10].map(step => step * power);
    return up ? steps.find(step => step >= value * 0.999)
              : steps.reverse().find(step => step <= value * 1.001);
  };
  const [from, to] = [round(low, false), round(high, true)];
  return logarithmic(from, from === to ? to * 10 : to);
}
