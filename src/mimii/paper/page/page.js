"use strict";
// Draws what Python has computed: no metric, interval or test is computed here. Texts from data go through textContent.

const DATA = JSON.parse(document.getElementById("data").textContent);
const VIEWS = {
  overview: "Overview",
  runs: "Runs",
  compare: "A against B",
  section: "Sections and clips",
  errors: "Errors",
};
const FIRST_COLUMNS = [
  "label",
  "db_level",
  "machine_type",
  "machine_id",
  "seed",
  "auc",
  "auc_low",
  "auc_high",
  "pauc",
  "pr_auc",
  "training_time_sec",
];
const ALL = "(all)"; // as the statistics name an average
const LISTED = 40;
const TALL = 24; // rows; a longer table scrolls by itself, so that what follows it stays near
let board = DATA.boards[0];

// ---- Building elements

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (name === "css") for (const [key, own] of Object.entries(value)) node.style.setProperty(key, own);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined));
  return node;
}

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// `label` becomes the method's title; nothing breaks a line within p = .013.
const withTitles = text =>
  text.split("`").map((part, place) => (place % 2 ? el("em", { title: part }, titleOf(part)) : unbroken(part)));
const titleOf = label => board.methods.find(one => one.label === label)?.title ?? label;
const unbroken = text => text.replace(/\bp ([=<]) /g, "p\u00a0$1\u00a0");
const fixed = (value, digits = 3) =>
  value === null || value === undefined ? "–" : value.toFixed(digits).replace("-", "−");
const signed = value => (value === null ? "–" : (value > 0 ? "+" : "") + fixed(value));
const pText = p => (p === null ? "–" : p < 0.001 ? "< .001" : p.toPrecision(2).replace(/^0/, ""));
const interval = (low, high) => (low === null ? "" : `[${fixed(low)}, ${fixed(high)}]`);
const costText = value =>
  value === null ? "–" : value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);

function table(caption, heads, rows, className = "") {
  const cell = (value, tag) =>
    value instanceof HTMLTableCellElement ? value : el(tag, tag === "th" ? { scope: "col" } : {}, value);
  return el(
    "div",
    {},
    caption ? el("p", { class: "quiet" }, caption) : null,
    el(
      "div",
      {
        class: rows.length > TALL ? "scroll tall" : "scroll",
        tabindex: 0,
        role: "region",
        "aria-label": caption || "Table",
      },
      el(
        "table",
        { class: `plain ${className}` },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            heads.map(head => cell(head, "th")),
          ),
        ),
        el(
          "tbody",
          {},
          rows.map(({ cells, published }) =>
            el(
              "tr",
              { class: published ? "published" : null },
              cells.map((value, place) => (place ? cell(value, "td") : el("th", { scope: "row" }, value))),
            ),
          ),
        ),
      ),
    ),
  );
}

function choice(title, options, chosen, act) {
  const select = el(
    "select",
    { on: { change: () => act(select.value) } },
    options.map(([value, text]) => el("option", { value, selected: String(value) === String(chosen) }, text)),
  );
  return el("label", {}, title, select);
}

const methodChoice = (title, chosen, act) =>
  choice(
    title,
    board.methods.map((one, place) => [place, one.title]),
    chosen,
    act,
  );
const sectionChoice = (chosen, act) =>
  choice(
    "Section",
    board.sections.map((one, place) => [place, one.path]),
    chosen,
    act,
  );
const snrs = () => [...new Map(board.sections.map(one => [one.snr, one.snrTitle]))];

// ---- Data as it is packed

function unpacked({ low, high, data }, LevelsArray = Uint16Array) {
  const bytes = Uint8Array.from(atob(data), character => character.charCodeAt(0));
  const levels = new LevelsArray(bytes.buffer);
  const most = 2 ** (8 * LevelsArray.BYTES_PER_ELEMENT) - 1;
  return Float64Array.from(levels, level => low + ((high - low) * level) / most);
}

function averageOf(method, metric, snr, machine = ALL) {
  const row = method.averages.find(one => one[0] === metric && one[1] === snr && one[2] === machine);
  const [, , , mean, low, high, seedDeviation, machineDeviation, best] = row;
  return { mean, low, high, seedDeviation, machineDeviation, best };
}

// Places of the methods, the highest overall AUC first.
const bestFirst = () =>
  board.methods
    .map((method, place) => [place, averageOf(method, "auc", ALL).mean])
    .sort((one, other) => other[1] - one[1])
    .map(([place]) => place);

// A line on those that have too few seeds; empty where all have enough.
function noClaim(methods) {
  const few = methods.filter(one => !one.enoughSeeds).map(one => one.title);
  return few.length ? board.noClaim.replace("{}", few.join(", ")) : "";
}

const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;

// Over IDs, then machine types, then SNRs, as the library averages.
function referenceMean(reference, snr) {
  const wanted = board.sections.filter(one => snr === ALL || one.snr === snr);
  const by = (rows, key) => [...Map.groupBy(rows, one => one[key]).values()];
  return mean(
    by(wanted, "snr").map(ofSnr =>
      mean(by(ofSnr, "machine").map(ofType => mean(ofType.map(one => reference.auc[one.path] ?? NaN)))),
    ),
  );
}

// ---- Charts

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const HUES = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#8C6BB1"];

function chart(caption, label, { data, series, scales, axes, draw, height = 250 }) {
  const holder = el("div", { role: "img", "aria-label": label });
  const figure = el("figure", {}, holder, el("figcaption", {}, caption));
  const axis = {
    stroke: colour("quiet"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { stroke: colour("line"), width: 1 },
    font: "12px system-ui",
    labelFont: "12px system-ui",
  };
  // As soon as the view is in place: a frame later would be too late for print.
  queueMicrotask(() => {
    if (!holder.isConnected) return;
    const plot = new uPlot(
      {
        width: holder.clientWidth,
        height,
        scales,
        series: [{}, ...series],
        axes: axes.map(own => ({ ...axis, size: 34, labelSize: 18, ...own })),
        legend: { show: false },
        cursor: { show: false },
        hooks: draw ? { draw: [draw] } : {},
      },
      data,
      holder,
    );
    new ResizeObserver(() => plot.setSize({ width: holder.clientWidth, height })).observe(holder);
  });
  return figure;
}

const key = (hue, text) => el("span", { class: "key" }, el("span", { css: { background: hue } }), text);

function intervalDrawing({ mean: value, low, high }, from) {
  const x = at => (100 * (Math.min(Math.max(at, from), 1) - from)) / (1 - from);
  const parts = [svg("line", { class: "axis", x1: 0, x2: 100, y1: 5, y2: 5, "stroke-width": 0.6 })];
  if (low !== null)
    parts.push(svg("line", { x1: x(low), x2: x(high), y1: 5, y2: 5, stroke: "currentColor", "stroke-width": 1.2 }));
  parts.push(svg("rect", { x: x(value) - 0.9, y: 2, width: 1.8, height: 6, fill: "currentColor" }));
  return svg(
    "svg",
    { class: "interval", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    ...parts,
  );
}

// ---- Overview

function overview(view) {
  view.append(
    el(
      "div",
      { class: "first" },
      el(
        "section",
        {},
        el("h2", {}, "What was run"),
        el(
          "dl",
          {},
          board.facts.map(([term, text]) => [el("dt", {}, term), el("dd", {}, text)]),
        ),
      ),
      el(
        "section",
        {},
        el("h2", {}, "What these results show"),
        el(
          "ul",
          {},
          board.claims.map(text => el("li", {}, withTitles(text))),
        ),
        board.caveats.length
          ? [
              el("h2", {}, "What they do not show"),
              el(
                "ul",
                { class: "warn" },
                board.caveats.map(text => el("li", {}, withTitles(text))),
              ),
            ]
          : null,
      ),
    ),
    el("h2", {}, "Ranking"),
  );
  const place = el("div");
  let metric = "auc",
    snr = ALL;
  const show = () => place.replaceChildren(ranking(metric, snr));
  view.append(
    el(
      "div",
      { class: "controls" },
      choice("Metric", Object.entries(board.metrics), metric, value => {
        metric = value;
        show();
      }),
      snrs().length > 1
        ? choice(board.hasSnrs ? "SNR" : "Group", [[ALL, "all"], ...snrs()], snr, value => {
            snr = value;
            show();
          })
        : null,
    ),
    place,
  );
  show();
  view.append(
    ...board.references.map(one => el("p", { class: "quiet" }, `In grey: ${one.name}. ${one.source}.`)),
    el("h2", {}, "Sections"),
    el(
      "p",
      { class: "quiet" },
      "AUC, mean over seeds. A cell opens its section, with ROC curves, scores and clips to hear.",
    ),
    sectionGrid(),
  );
}

function ranking(metric, snr) {
  const shown = Object.keys(board.costs).filter(cost => board.methods.some(one => one.costs[cost] !== null));
  const found = board.methods.map(method => ({ method, ...averageOf(method, metric, snr) }));
  const several = found.some(one => one.seedDeviation !== null);
  const rows = found.map(one => ({
    value: one.mean,
    cells: [
      [one.method.title, one.method.title === one.method.label ? "" : el("small", {}, one.method.label)],
      one.best === 2 ? el("strong", { class: "best" }, fixed(one.mean)) : fixed(one.mean),
      interval(one.low, one.high),
      intervalDrawing(one, 0.4),
      ...(several ? [one.seedDeviation === null ? "–" : `± ${fixed(one.seedDeviation)}`] : []),
      ...shown.map(cost => [
        costText(one.method.costs[cost]),
        one.method.busyCosts.includes(cost) ? el("small", {}, " busy") : "",
      ]),
    ],
  }));
  for (const reference of metric === "auc" ? board.references : []) {
    const value = referenceMean(reference, snr);
    if (Number.isNaN(value)) continue; // of some of the sections alone
    rows.push({
      value,
      published: true,
      cells: [
        reference.name,
        fixed(value),
        "published",
        intervalDrawing({ mean: value, low: null }, 0.4),
        ...(several ? [""] : []),
        ...shown.map(() => ""),
      ],
    });
  }
  rows.sort((one, other) => other.value - one.value);
  const percent = Math.round(100 * board.confidence);
  const busy = board.methods.some(one => one.busyCosts.length)
    ? "; busy: measured while the machine had more work than cores, so too long"
    : "";
  return table(
    `${board.metrics[metric]}, mean over seeds, then IDs, machine types${board.hasSnrs ? ", SNRs" : ""}; ${percent} % interval over test clips and seeds, drawn from .4 to 1. ${noClaim(board.methods) || "Bold: better than every other."} Costs: mean of a run${busy}.`,
    [
      "Method",
      board.metrics[metric],
      "Interval",
      "",
      ...(several ? ["Seeds"] : []),
      ...shown.map(cost => [board.costs[cost][0], el("small", {}, board.costs[cost][1])]),
    ],
    rows,
  );
}

function sectionGrid() {
  const cell = (value, target) =>
    el(
      "td",
      { css: { "--share": Math.round(100 * Math.min(Math.max((value - 0.4) / 0.6, 0), 1)) } },
      target ? el("a", { href: target }, fixed(value, 2)) : el("span", {}, fixed(value, 2)),
    );
  const rows = bestFirst().map(place => ({
    cells: [
      board.methods[place].title,
      ...board.methods[place].sections.map(([auc], section) => cell(auc, `#section/${place}/${section}`)),
    ],
  }));
  for (const reference of board.references)
    rows.push({
      published: true,
      cells: [
        reference.name,
        ...board.sections.map(one => (one.path in reference.auc ? cell(reference.auc[one.path], null) : "")),
      ],
    });
  return table(
    "",
    ["", ...board.sections.map(one => [one.machine, el("small", {}, one.id), el("small", {}, one.snrTitle)])],
    rows,
    "heat",
  );
}

// ---- Runs

function runs(view) {
  const count = board.runs[0].values.length;
  const rows = Array.from({ length: count }, (_, row) =>
    Object.fromEntries(board.runs.map(column => [column.name, column.values ? column.values[row] : column.value])),
  );
  const isNumber = column => column.type === "number" || column.type === "integer";
  const first = FIRST_COLUMNS.map(name => board.runs.find(column => column.name === name));
  const columns = [...first, ...board.runs.filter(column => !first.includes(column))].map(column => ({
    field: column.name,
    title: column.unit ? `${column.name} (${column.unit})` : column.name,
    headerTooltip: column.meaning,
    minWidth: 84,
    visible: FIRST_COLUMNS.includes(column.name),
    hozAlign: isNumber(column) ? "right" : "left",
    sorter: isNumber(column) ? "number" : "string",
    headerFilter: "input",
    headerFilterPlaceholder: isNumber(column) && column.name !== "seed" ? "≥" : "holds",
    headerFilterFunc:
      isNumber(column) && column.name !== "seed"
        ? (wanted, value) => value !== null && value >= Number(wanted)
        : "like",
    formatter: cell => el("span", {}, shownValue(cell.getValue(), column)),
  }));
  const place = el("div", { id: "runs" });
  const number = el("span", { class: "quiet", role: "status" });
  const exported = write => () =>
    copyText(
      write(
        visibleColumns(grid),
        grid.getRows("active").map(row => row.getData()),
      ),
    );
  view.append(
    el("h2", {}, "Runs"),
    el(
      "div",
      { class: "controls" },
      el("button", { id: "copy-csv", on: { click: exported(asCsv) } }, "Copy as CSV"),
      el("button", { id: "copy-latex", on: { click: exported(asLatex) } }, "Copy as LaTeX"),
      number,
    ),
    el(
      "details",
      {},
      el("summary", {}, "Columns"),
      el(
        "div",
        { class: "chooser" },
        board.runs.map(column =>
          el(
            "label",
            { title: column.meaning },
            el("input", {
              type: "checkbox",
              name: column.name,
              checked: FIRST_COLUMNS.includes(column.name),
              on: { change: event => grid[event.target.checked ? "showColumn" : "hideColumn"](column.name) },
            }),
            column.name,
          ),
        ),
      ),
    ),
    el(
      "p",
      { class: "quiet" },
      "A click on a heading sorts, with Shift by several columns. What is copied is what is shown: filtered, sorted, with these columns, in full precision as CSV.",
    ),
    board.residual
      ? el("p", { class: "quiet" }, `${board.residual} Beside auc_residual stands auc_mahalanobis, of the same section.`)
      : "",
    place,
  );
  const grid = new Tabulator(place, {
    data: rows,
    columns,
    height: Math.min(160 + 32 * count, Math.max(360, innerHeight * 0.7)),
    layout: "fitDataFill",
    printAsHtml: true,
    printRowRange: "active",
    initialSort: [{ column: "auc", dir: "desc" }],
    columnDefaults: { resizable: true },
  });
  grid.on("dataFiltered", (_, found) => {
    number.textContent = `${found.length.toLocaleString("en")} of ${count.toLocaleString("en")} runs`;
  });
  return () => grid.destroy();
}

function shownValue(value, column) {
  if (value === null) return "";
  if (column.type !== "number") return String(value);
  return Math.abs(value) <= 1 && /auc|tpr|fpr/.test(column.name)
    ? value.toFixed(3)
    : String(Number(value.toPrecision(4)));
}

const visibleColumns = grid =>
  grid
    .getColumns()
    .filter(column => column.isVisible())
    .map(column => board.runs.find(one => one.name === column.getField()));

function asCsv(columns, rows) {
  const cell = value =>
    value === null ? "" : /[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
  return (
    [columns.map(column => column.name), ...rows.map(row => columns.map(column => row[column.name]))]
      .map(line => line.map(cell).join(","))
      .join("\n") + "\n"
  );
}

function asLatex(columns, rows) {
  const marks = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "−": "$-$" };
  const escaped = text => text.replace(/[&%$#_{}\\~^−]/g, found => marks[found] ?? `\\${found}`);
  const lines = rows.map(
    row => columns.map(column => escaped(shownValue(row[column.name], column))).join(" & ") + " \\\\",
  );
  const sides = columns.map(column => (column.type === "string" ? "l" : "r")).join("");
  return [
    "% Needs \\usepackage{booktabs}",
    `\\begin{tabular}{@{}${sides}@{}}`,
    "\\toprule",
    columns.map(column => escaped(column.name)).join(" & ") + " \\\\",
    "\\midrule",
    ...lines,
    "\\bottomrule",
    "\\end{tabular}",
    "",
  ].join("\n");
}

// Shown as well as copied: a browser may keep a page on a disk from the clipboard.
async function copyText(text) {
  const dialog = document.getElementById("copied");
  const area = dialog.querySelector("textarea");
  area.value = text;
  let copied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copied = false;
  }
  dialog.querySelector("h2").textContent = copied ? "Copied" : "Select and copy";
  dialog.showModal();
  area.select();
}

// ---- A against B

// Of an address that somebody typed, or that belongs to another page: the first where there is none of that number.
const placeIn = (list, text) => (Number(text) in list ? Number(text) : 0);

function compare(view, one = 0, other = 1, section = 0) {
  [one, other, section] = [
    placeIn(board.methods, one),
    placeIn(board.methods, other),
    placeIn(board.sections, section),
  ];
  const go = (...parts) => {
    location.hash = ["compare", ...parts].join("/");
  };
  const [a, b] = [board.methods[one], board.methods[other]];
  view.append(
    el("h2", {}, "A against B"),
    el(
      "div",
      { class: "controls" },
      methodChoice("A", one, value => go(value, other, section)),
      methodChoice("B", other, value => go(one, value, section)),
    ),
  );
  if (one === other) {
    view.append(el("p", {}, "Choose two different methods."));
    return;
  }
  const sign = one < other ? 1 : -1;
  const unclaimed = noClaim([a, b]);
  const claimed = p => pText(unclaimed ? null : p);
  const isPair = row => row[0] === Math.min(one, other) && row[1] === Math.max(one, other);
  const turned = (difference, low, high) => (sign > 0 ? [difference, low, high] : [-difference, -high, -low]);
  const wanted = row => isPair(row) && (row[2] === ALL || snrs().length > 1);
  const overall = board.pairs.filter(wanted).map(([, , snr, difference, low, high, p, holm]) => {
    const [value, from, to] = turned(difference, low, high);
    const title = snr === ALL ? "All sections" : snrs().find(([name]) => name === snr)[1];
    return {
      cells: [
        title,
        fixed(averageOf(a, "auc", snr).mean),
        fixed(averageOf(b, "auc", snr).mean),
        signed(value),
        interval(from, to),
        claimed(p),
        claimed(holm),
      ],
    };
  });
  view.append(
    table(
      `Overall AUC, paired by clip. The last column is corrected for all pairs of methods (Holm). ${unclaimed}`,
      ["", "A", "B", "A − B", "Interval", "p", "p, corrected"],
      overall,
    ),
  );
  const [, , differences, lows, highs, ps] = board.sectionPairs.find(isPair);
  const rows = board.sections.map((own, place) => {
    const [value, from, to] = turned(differences[place], lows[place], highs[place]);
    const text = !unclaimed && ps[place] < 1 - board.confidence ? el("strong", {}, signed(value)) : signed(value);
    return {
      cells: [
        el("a", { href: `#compare/${one}/${other}/${place}` }, own.path),
        fixed(a.sections[place][0]),
        fixed(b.sections[place][0]),
        text,
        interval(from, to),
        claimed(ps[place]),
      ],
    };
  });
  view.append(
    el("h3", {}, "Section by section"),
    table(
      `${unclaimed || "p is corrected for the number of sections (Holm); bold: below the level."} A section's name shows its clips below.`,
      ["Section", "A", "B", "A − B", "Interval", "p, corrected"],
      rows,
    ),
  );
  view.append(
    el("h3", {}, "Clip by clip"),
    el(
      "div",
      { class: "controls" },
      sectionChoice(section, value => go(one, other, value)),
    ),
  );
  const [x, y] = [a, b].map(method => unpacked(method.scores[section]));
  view.append(el("div", { class: "charts" }, scatter(a, b, x, y, section), disagreement(x, y, section)));
}

function scatter(a, b, x, y, section) {
  const { abnormal } = board.sections[section];
  const order = Array.from(x.keys()).sort((i, j) => x[i] - x[j]);
  const of = kind => order.map(clip => (abnormal[clip] === kind ? y[clip] : null));
  const points = hue => ({ paths: () => null, points: { show: true, size: 5, fill: hue, stroke: hue } });
  return chart(
    [
      `Clip scores (mean over seeds) on ${board.sections[section].path}`,
      key(colour("normal"), "normal"),
      key(colour("abnormal"), "abnormal"),
    ],
    `Scatter of clip scores of ${a.title} and ${b.title}`,
    {
      data: [order.map(clip => x[clip]), of(0), of(1)],
      series: [points(colour("normal")), points(colour("abnormal"))],
      scales: { x: { time: false } },
      axes: [{ label: a.title }, { label: b.title, size: 60 }],
      height: 330,
    },
  );
}

function percentiles(scores) {
  const order = Array.from(scores.keys()).sort((i, j) => scores[i] - scores[j]);
  const found = new Float64Array(scores.length);
  order.forEach((clip, rank) => {
    found[clip] = (100 * rank) / Math.max(1, scores.length - 1);
  });
  return found;
}

function disagreement(x, y, section) {
  const { clips, abnormal } = board.sections[section];
  const [p, q] = [percentiles(x), percentiles(y)];
  const worst = clips
    .map((_, clip) => clip)
    .sort((i, j) => Math.abs(p[j] - q[j]) - Math.abs(p[i] - q[i]))
    .slice(0, 12);
  return el(
    "div",
    {},
    table(
      "Clips on which they disagree most: percentile of the clip's score among all test clips of the section.",
      ["Clip", "Is", "A", "B"],
      worst.map(clip => ({
        cells: [clips[clip], abnormal[clip] ? "abnormal" : "normal", p[clip].toFixed(0), q[clip].toFixed(0)],
      })),
    ),
  );
}

// ---- A section

function section(view, method, place) {
  if (method === undefined) {
    const heard = board.listening[0];
    [method, place] = heard ? [heard.method, heard.section] : [0, 0];
  }
  [method, place] = [placeIn(board.methods, method), placeIn(board.sections, place)];
  const go = (...parts) => {
    location.hash = ["section", ...parts].join("/");
  };
  const found = board.details.filter(one => one.method === method && one.section === place);
  const { title } = board.methods[method],
    { path } = board.sections[place];
  view.append(
    el("h2", {}, `${title} on ${path}`),
    el(
      "div",
      { class: "controls" },
      methodChoice("Method", method, value => go(value, place)),
      sectionChoice(place, value => go(method, value)),
    ),
  );
  view.append(
    table(
      "Threshold from held-out normal clips; detected and false alarms: share of abnormal and of normal test clips above it.",
      ["Seed", "AUC", "Interval", "pAUC", "Threshold", "Detected", "False alarms"],
      found.map(one => ({
        cells: [
          one.seed === null ? "–" : String(one.seed),
          fixed(one.auc[0]),
          interval(one.auc[1], one.auc[2]),
          fixed(one.pauc),
          one.threshold === null ? "–" : one.threshold.toPrecision(4),
          fixed(one.tpr, 2),
          fixed(one.fpr, 2),
        ],
      })),
    ),
  );
  const charts = el("div", { class: "charts" }, rocChart(found));
  found.forEach(one => charts.append(distribution(one, found.length > 1)));
  view.append(charts);
  const heard = board.listening.filter(one => one.method === method && one.section === place);
  heard.forEach(one => listening(view, one));
  const tooLarge = board.unheard.some(([own, other]) => own === method && other === place);
  if (!heard.length)
    view.append(
      el("h3", {}, "Clips"),
      el(
        "p",
        { class: "quiet" },
        tooLarge ? "Left out to keep this page small: ask for fewer in report.clips. " : null,
        board.listening.length
          ? [
              "Clips are kept for ",
              board.listening.map((one, number) => [
                number ? ", " : "",
                el(
                  "a",
                  { href: `#section/${one.method}/${one.section}` },
                  `${board.methods[one.method].title} on ${board.sections[one.section].path}`,
                ),
              ]),
            ].flat(3)
          : "No clips are kept: see report.clips in the configuration.",
      ),
    );
}

function rocChart(found) {
  // One x axis for all: each curve has values at its own corners alone, and gaps elsewhere are bridged.
  const xs = [...new Set([...found.flatMap(one => one.roc[0]), 0, 1])].sort((a, b) => a - b);
  const lines = found.map(one => {
    const highest = new Map();
    one.roc[0].forEach((x, corner) => highest.set(x, [...(highest.get(x) ?? []), one.roc[1][corner]]));
    return highest;
  });
  // A vertical step needs its x twice.
  const data = [
    xs.flatMap(x => [x, x]),
    ...lines.map(line =>
      xs.flatMap(x => (line.has(x) ? [line.get(x)[0], line.get(x).at(-1)] : [undefined, undefined])),
    ),
  ];
  const hue = place => (found.length > 1 ? HUES[place % HUES.length] : colour("normal"));
  return chart(
    ["ROC", found.length > 1 ? found.map((one, place) => key(hue(place), `seed ${one.seed}`)) : []],
    "ROC curve",
    {
      data: [...data, data[0]],
      series: [
        ...found.map((_, place) => ({ stroke: hue(place), width: 1.5, spanGaps: true, points: { show: false } })),
        { stroke: colour("quiet"), dash: [4, 4], points: { show: false } },
      ],
      scales: { x: { time: false, range: [0, 1] }, y: { range: [0, 1] } },
      axes: [{ label: "False-positive rate" }, { label: "True-positive rate", size: 46 }],
      height: 330,
    },
  );
}

function distribution({ edges: [low, high], counts: [normal, abnormal], threshold, seed }, several) {
  const step = (high - low) / normal.length;
  const x = [...normal.map((_, bin) => low + bin * step), high];
  const bars = hue => ({
    stroke: hue,
    fill: `${hue}33`,
    width: 1.5,
    paths: uPlot.paths.stepped({ align: 1 }),
    points: { show: false },
  });
  const line = plot => {
    if (threshold === null) return;
    const at = plot.valToPos(threshold, "x", true);
    if (at < plot.bbox.left || at > plot.bbox.left + plot.bbox.width) return;
    plot.ctx.save();
    plot.ctx.strokeStyle = colour("text");
    plot.ctx.setLineDash([5, 4]);
    plot.ctx.beginPath();
    plot.ctx.moveTo(at, plot.bbox.top);
    plot.ctx.lineTo(at, plot.bbox.top + plot.bbox.height);
    plot.ctx.stroke();
    plot.ctx.restore();
  };
  return chart(
    [
      several ? `Scores, seed ${seed}` : "Scores",
      key(colour("normal"), "normal"),
      key(colour("abnormal"), "abnormal"),
      threshold === null ? "" : el("span", { class: "key dashed" }, el("span"), "threshold"),
    ],
    "Distribution of clip scores",
    {
      data: [x, [...normal, 0], [...abnormal, 0]],
      series: [bars(colour("normal")), bars(colour("abnormal"))],
      scales: { x: { time: false }, y: { range: (_, least, most) => [0, most * 1.05] } },
      axes: [{ label: "Clip score" }, { label: "Test clips", size: 46 }],
      draw: line,
      height: several ? 220 : 330,
    },
  );
}

// ---- Clips to listen to

const CIVIDIS = [
  [0, 34, 78],
  [18, 53, 112],
  [59, 73, 108],
  [87, 93, 109],
  [112, 113, 115],
  [138, 134, 120],
  [165, 156, 116],
  [195, 179, 105],
  [225, 204, 85],
  [254, 232, 56],
];

function listening(view, record) {
  view.append(
    el("h3", {}, `Clips, seed ${record.seed ?? "–"}`),
    el(
      "p",
      { class: "quiet" },
      record.hertz ? "Log-mel in dB" : "Embeddings, value above value",
      record.clips.some(one => one.reconstruction) ? ", the model's reconstruction of it" : "",
      ", and the score of each window over time. A click into a picture plays from there. ",
      record.silent
        ? "The recordings were not at hand when this page was made, so there is no sound. "
        : record.louder === 1
          ? ""
          : `All clips are made ${record.louder} times as loud as recorded. `,
      record.licence ? `Recordings: ${record.licence}.` : "",
    ),
    el(
      "div",
      { class: "clips" },
      record.clips.map(clip => clipCard(clip, record)),
    ),
  );
}

function clipCard(clip, record) {
  const panes = [
    [record.hertz ? "Log-mel" : "Embeddings", clip.frames],
    ["Recon-struction", clip.reconstruction],
  ].filter(([, picture]) => picture);
  const playhead = el("div", { class: "playhead", css: { left: "0%" } });
  const stack = el(
    "div",
    { class: "stack" },
    panes.map(([, picture]) => picture && spectrogram(picture)),
    scoreLine(clip, record),
    playhead,
  );
  const axis = el("div", { class: "axis" });
  const part = 1 / (panes.length + 1);
  panes.forEach((_, pane) =>
    frequencyTicks(record.hertz ?? []).forEach(([text, share]) =>
      axis.append(el("span", { css: { top: `${100 * part * (pane + 1 - share)}%` } }, text)),
    ),
  );
  axis.append(el("span", { css: { top: `${100 * (1 - part / 2)}%` } }, "score"));
  const grid = el(
    "div",
    { class: "panes" },
    axis,
    stack,
    el(
      "div",
      { class: "times" },
      el("span", {}, "0 s"),
      el("span", {}, panes.length > 1 ? `${panes[0][0].toLowerCase()} above, reconstruction below` : ""),
      el("span", {}, `${clip.seconds.toFixed(1)} s`),
    ),
  );
  const card = el(
    "article",
    { class: "clip" },
    el("h4", {}, clip.kind, el("small", {}, ` ${clip.name}, score ${Number(clip.score.toPrecision(3))}`)),
    grid,
  );
  if (clip.audio || clip.sound) card.append(player(clip, stack, playhead));
  else playhead.hidden = true;
  return card;
}

function player(clip, stack, playhead) {
  const audio = el("audio", {
    controls: true,
    preload: clip.sound ? "none" : "metadata",
    src: clip.sound ?? `data:audio/mpeg;base64,${clip.audio}`,
    "aria-label": `${clip.kind}, ${clip.name}`,
  });
  audio.addEventListener("error", () =>
    audio.replaceWith(
      el("p", { class: "warn" }, `No sound: ${clip.sound ?? "this page"} cannot be played. Pass on that folder too.`),
    ),
  );
  const follow = () => {
    playhead.style.setProperty("left", `${100 * Math.min(1, audio.currentTime / clip.seconds)}%`);
    if (!audio.paused) requestAnimationFrame(follow);
  };
  audio.addEventListener("play", () => {
    document.querySelectorAll("audio").forEach(other => {
      if (other !== audio) other.pause();
    });
    follow();
  });
  audio.addEventListener("seeked", follow);
  stack.addEventListener("click", event => {
    const box = stack.getBoundingClientRect();
    audio.currentTime = (clip.seconds * (event.clientX - box.left)) / box.width;
    audio.play();
  });
  return audio;
}

function spectrogram(picture) {
  const levels = unpacked({ low: 0, high: 1, data: picture.data }, Uint8Array);
  const canvas = el("canvas", { class: "pane", width: picture.frames, height: picture.bands });
  const image = new ImageData(picture.frames, picture.bands);
  levels.forEach((level, place) => {
    const [frame, band] = [Math.floor(place / picture.bands), place % picture.bands];
    const at = level * (CIVIDIS.length - 1),
      stop = Math.min(Math.floor(at), CIVIDIS.length - 2);
    const pixel = 4 * ((picture.bands - 1 - band) * picture.frames + frame);
    for (let part = 0; part < 3; part++)
      image.data[pixel + part] = CIVIDIS[stop][part] + (at - stop) * (CIVIDIS[stop + 1][part] - CIVIDIS[stop][part]);
    image.data[pixel + 3] = 255;
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function frequencyTicks(hertz) {
  return [500, 2000, 6000]
    .filter(tick => tick > hertz[0] && tick < hertz.at(-1))
    .map(tick => {
      const above = hertz.findIndex(value => value >= tick);
      const band = above - (hertz[above] - tick) / (hertz[above] - hertz[above - 1]);
      return [tick >= 1000 ? `${tick / 1000} kHz` : `${tick} Hz`, (band + 0.5) / hertz.length];
    });
}

function scoreLine(clip, record) {
  const [low, high] = record.scoreRange;
  const x = time => ((1000 * time) / clip.seconds).toFixed(1),
    y = value => (100 - (100 * (value - low)) / (high - low || 1)).toFixed(1);
  const points = clip.scores.map((value, place) => `${x(clip.times[0] + place * clip.times[1])},${y(value)}`).join(" ");
  const line = svg("polyline", {
    points,
    fill: "none",
    stroke: colour(clip.abnormal ? "abnormal" : "normal"),
    "stroke-width": 1.5,
    "vector-effect": "non-scaling-stroke",
  });
  const drawing = svg(
    "svg",
    {
      class: "pane",
      viewBox: "0 -4 1000 108",
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": "Score over time",
    },
    line,
  );
  if (clip.scores.length === 1) line.setAttribute("points", `0,${y(clip.scores[0])} 1000,${y(clip.scores[0])}`);
  if (record.threshold !== null)
    drawing.append(
      svg("line", {
        x1: 0,
        x2: 1000,
        y1: y(record.threshold),
        y2: y(record.threshold),
        stroke: colour("quiet"),
        "stroke-dasharray": "5 4",
        "vector-effect": "non-scaling-stroke",
      }),
    );
  return drawing;
}

// ---- Errors

function errors(view) {
  const found = board.errors,
    order = bestFirst();
  view.append(el("h2", {}, "Clips that all methods get wrong"));
  if (!found.judged.length)
    view.append(el("p", {}, "No method has a threshold, so none says which clips are anomalous."));
  else {
    view.append(
      el(
        "p",
        { class: "quiet" },
        `Each method's own threshold, most of its seeds; ${found.judged.length} of ${board.methods.length} methods have one.`,
      ),
    );
    const listed = (title, clips, count) =>
      el(
        "div",
        {},
        el("h3", {}, `${title}: ${count}`),
        clips.length
          ? table(
              count > LISTED ? `The first ${LISTED}.` : "",
              ["Clip", el("th", { class: "text", scope: "col" }, "Section")],
              clips.slice(0, LISTED).map(([place, clip]) => ({
                cells: [
                  board.sections[place].clips[clip],
                  el("td", { class: "text" }, el("a", { href: `#section/0/${place}` }, board.sections[place].path)),
                ],
              })),
            )
          : el("p", {}, "None."),
      );
    view.append(
      el(
        "div",
        { class: "charts" },
        listed("Missed", found.missed, found.missedCount),
        listed("False alarms", found.alarms, found.alarmsCount),
      ),
    );
  }
  if (board.methods.length > 1) {
    view.append(
      el("h2", {}, "Agreement"),
      table(
        "Spearman's correlation of clip scores, mean over sections: methods that agree make the same mistakes.",
        ["", ...order.map((place, number) => el("span", { title: board.methods[place].title }, `(${number + 1})`))],
        order.map((place, number) => ({
          cells: [
            `${board.methods[place].title} (${number + 1})`,
            ...order
              .map(other => found.agreement[place][other])
              .map(value =>
                el(
                  "td",
                  { css: { "--share": Math.round(100 * Math.max(value ?? 0, 0)) } },
                  el("span", {}, fixed(value, 2)),
                ),
              ),
          ],
        })),
        "heat",
      ),
    );
  }
  if (snrs().length > 1)
    view.append(
      el("h2", {}, board.hasSnrs ? "AUC against SNR" : "AUC by group"),
      byKind(snrs().map(([snr, title]) => [title, board.methods.map(method => averageOf(method, "auc", snr))])),
    );
  for (const [name, title] of [
    ["domains", "AUC by domain"],
    ["attributes", "AUC by kind of fault"],
  ])
    if (found[name].length)
      view.append(
        el("h2", {}, title),
        byKind(
          found[name].map(([kind, sections, values]) => [
            `${kind} (${sections})`,
            values.map(value => ({ mean: value, low: null })),
          ]),
          "Mean over the sections that have it; in brackets, how many they are.",
        ),
      );
}

function byKind(kinds, caption = "") {
  const rows = bestFirst().map(place => ({
    cells: [
      board.methods[place].title,
      ...kinds.map(([, values]) =>
        el("td", {}, fixed(values[place].mean), el("small", {}, interval(values[place].low, values[place].high))),
      ),
    ],
  }));
  return table(caption, ["Method", ...kinds.map(([title]) => title)], rows);
}

// ---- Which view

let leave = null,
  last = "";

function render() {
  const [name, ...parts] = location.hash.slice(1).split("/");
  const shown = Object.hasOwn(VIEWS, name) ? name : "overview";
  const view = document.getElementById("view");
  // A choice draws its view anew: whoever works it by keyboard goes on at the same one.
  const focused = [...view.querySelectorAll("select")].indexOf(document.activeElement);
  if (leave) leave();
  document.querySelectorAll("audio").forEach(audio => audio.pause());
  view.replaceChildren();
  document
    .getElementById("views")
    .replaceChildren(
      ...Object.entries(VIEWS).map(([target, title]) =>
        el("a", { href: `#${target}`, "aria-current": target === shown ? "page" : null }, title),
      ),
    );
  leave = { overview, runs, compare, section, errors }[shown](view, ...parts) ?? null;
  if (shown !== last) scrollTo(0, 0);
  else view.querySelectorAll("select")[focused]?.focus();
  last = shown;
}

function start() {
  const boards = document.getElementById("boards");
  boards.hidden = DATA.boards.length < 2;
  boards.querySelector("select").append(...DATA.boards.map((one, place) => el("option", { value: place }, one.name)));
  boards.addEventListener("change", event => {
    board = DATA.boards[event.target.value];
    if (location.hash === "#overview") render();
    else location.hash = "overview";
  });
  addEventListener("hashchange", () => render());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => render());
  // Drawings take their colours when they are drawn; the table of runs has none, and keeps its filters.
  const redraw = () => {
    if (!location.hash.startsWith("#runs")) render();
  };
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.theme = "light";
    redraw();
  });
  addEventListener("afterprint", () => {
    delete document.documentElement.dataset.theme;
    redraw();
  });
  render();
}

start();
