"use strict";
// The browser of errors. Text from the files only ever becomes text nodes, never markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const form = document.getElementById("filters");
  if (!form) return;
  const list = document.getElementById("sentences");
  const more = document.getElementById("more");
  const field = (name) => form.elements.namedItem(name);
  const STEP = 40;
  let chosen = [];
  let shown = 0;

  const create = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const visible = (token) => (token.trim() === "" ? "␣" : token);
  const words = (sentence, span) => sentence.tokens.slice(span[0], span[1]).map(visible).join(" ");

  // Every mistake once, with what the filters ask about.
  const mistakes = data.sentences.flatMap((sentence, number) =>
    sentence.mistakes.map(([kind, gold, predicted]) => {
      const right = gold < 0 ? null : sentence.gold[gold];
      const guess = predicted < 0 ? null : sentence.predicted[predicted];
      return {
        number, kind, gold, predicted,
        from: right ? data.labels[right[2]] : "-",
        to: guess ? data.labels[guess[2]] : "-",
        texts: [right, guess].filter(Boolean).map((span) => words(sentence, span)),
        sure: guess && sentence.confidence ? sentence.confidence[predicted] : 0,
      };
    }));
  if (!data.sentences.some((sentence) => sentence.confidence)) {
    field("order").querySelector("[value=sure]").remove();
  }

  function filtered() {
    const [kind, gold, predicted] = ["kind", "gold", "predicted"].map((name) => field(name).value);
    const text = field("words").value.trim().toLowerCase();
    return mistakes.filter((one) =>
      (!kind || one.kind === kind) && (!gold || one.from === gold) && (!predicted || one.to === predicted) &&
      (!text || one.texts.some((mention) => mention.toLowerCase().includes(text))));
  }

  function line(sentence, side, hits) {
    const spans = sentence[side];
    const wrong = new Set(sentence.mistakes.map((one) => one[side === "gold" ? 1 : 2]));
    const unknown = new Set(sentence.unknown);
    const element = create("div", { className: "line", dir: "auto", lang: sentence.language });
    for (let token = 0; token < sentence.tokens.length;) {
      const index = spans.findIndex((span) => span[0] === token);
      if (index < 0) {
        const text = visible(sentence.tokens[token]);
        element.append(unknown.has(token) ? create("span", { className: "gap", title: "not annotated" }, text) : text, " ");
        token += 1;
        continue;
      }
      const [start, end, label] = spans[index];
      const mark = create("mark", {}, words(sentence, [start, end]));
      const name = create("small", { dir: "ltr" }, data.labels[label]);
      if (wrong.has(index)) {
        mark.className = hits.has(index) ? "bad" : "bad dim";
        if (side === "predicted" && sentence.confidence) name.append(` ${Math.round(100 * sentence.confidence[index])} %`);
      }
      mark.style.setProperty("--hue", data.hues[label]);
      mark.append(name);
      element.append(mark, " ");
      token = end;
    }
    return create("div", { className: "side" }, create("span", {}, side), element);
  }

  function card({ number, hits }) {
    const sentence = data.sentences[number];
    const where = create("div", { className: "where" }, create("code", { dir: "ltr" }, sentence.source));
    for (const one of hits) {
      const pair = one.from === one.to ? one.from : `${one.from === "-" ? "" : one.from}${one.from !== "-" && one.to !== "-" ? " → " : ""}${one.to === "-" ? "" : one.to}`;
      where.append(create("span", { className: "chip" }, `${one.kind.replaceAll("_", " ")}: ${pair}`));
    }
    return create("article", { className: "sentence" }, where,
      line(sentence, "gold", new Set(hits.map((one) => one.gold))),
      line(sentence, "predicted", new Set(hits.map((one) => one.predicted))));
  }

  function showMore() {
    list.append(...chosen.slice(shown, shown + STEP).map(card));
    shown = Math.min(shown + STEP, chosen.length);
    more.hidden = shown === chosen.length;
    more.textContent = `Show more (${(chosen.length - shown).toLocaleString("en")} left)`;
  }

  function showFrequent(found) {
    const counted = new Map();
    for (const one of found) {
      const key = one.texts[0].toLowerCase();
      counted.set(key, { text: one.texts[0], times: (counted.get(key)?.times ?? 0) + 1 });
    }
    const most = [...counted.values()].filter((one) => one.times > 1).sort((a, b) => b.times - a.times).slice(0, 18);
    const box = document.getElementById("frequent");
    box.hidden = most.length === 0;
    box.querySelector("ol").replaceChildren(...most.map((one) => {
      const button = create("button", { type: "button" }, create("bdi", {}, one.text), create("b", {}, String(one.times)));
      button.onclick = () => { field("words").value = one.text; update(); };
      return create("li", {}, button);
    }));
  }

  function update() {
    const found = filtered();
    const groups = new Map();
    for (const one of found) {
      if (!groups.has(one.number)) groups.set(one.number, { number: one.number, hits: [] });
      groups.get(one.number).hits.push(one);
    }
    chosen = [...groups.values()];
    const certainty = (group) => Math.max(...group.hits.map((one) => one.sure));
    if (field("order").value === "many") chosen.sort((a, b) => b.hits.length - a.hits.length);
    if (field("order").value === "sure") chosen.sort((a, b) => certainty(b) - certainty(a));
    shown = 0;
    list.replaceChildren();
    document.getElementById("found").textContent =
      `${found.length.toLocaleString("en")} ${found.length === 1 ? "error" : "errors"} in ${chosen.length.toLocaleString("en")} ${chosen.length === 1 ? "sentence" : "sentences"}`;
    showFrequent(found);
    showMore();
  }

  function choose(values) {
    form.reset();
    for (const [name, value] of Object.entries(values)) field(name).value = value;
    update();
    document.getElementById("browser").scrollIntoView({ behavior: "smooth" });
  }

  // Charts filter the list.
  const pick = (element) => {
    const { kind, label, gold, predicted } = element.dataset;
    if (kind) return choose({ kind });
    if (label !== undefined) return choose({ gold: label });
    return choose(gold && predicted ? { kind: "wrong_label", gold, predicted } : gold ? { gold } : { predicted });
  };
  for (const element of document.querySelectorAll("[data-kind], [data-label], [data-gold]")) {
    element.addEventListener("click", () => pick(element));
    element.addEventListener("keydown", (event) => { if (event.key === "Enter") pick(element); });
  }
  form.addEventListener("input", update);
  form.addEventListener("reset", () => setTimeout(update));
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", showMore);
  update();
})();
