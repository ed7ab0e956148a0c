"use strict";
// Text goes into the page by textContent only, so nothing in it can act as HTML.
const at = (id) => document.getElementById(id);
let answered = null;
const colours = new Map();

async function ask(path, body) {
  const headers = { "Content-Type": "application/json" };
  if (at("key").value) headers.Authorization = "Bearer " + at("key").value;
  const response = await fetch(path, body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (response.status === 401) at("keyed").hidden = false;
  if (!response.ok) throw new Error(answer.error || response.statusText);
  return answer;
}

function colour(label) {
  if (!colours.has(label)) colours.set(label, "c" + (colours.size % 8));
  return colours.get(label);
}

function marked(entity, text) {
  const mark = document.createElement("mark");
  mark.className = colour(entity.label);
  mark.textContent = text;
  const note = document.createElement("small");
  note.textContent = entity.label + (entity.confidence === null ? "" : " " + entity.confidence.toFixed(2));
  mark.append(note);
  return mark;
}

function show() {
  at("shown").textContent = Number(at("least").value).toFixed(2);
  if (answered === null) return;
  const parts = [];
  let end = 0;
  for (const entity of answered.entities) {
    if (entity.confidence !== null && entity.confidence < Number(at("least").value)) continue;
    parts.push(answered.text.slice(end, entity.start), marked(entity, answered.text.slice(entity.start, entity.end)));
    end = entity.end;
  }
  parts.push(answered.text.slice(end));
  at("result").replaceChildren(...parts);
}

function fail(error) {
  const line = document.createElement("span");
  line.className = "error";
  line.textContent = error.message;
  at("result").replaceChildren(line);
}

async function tag() {
  const text = at("text").value;
  try {
    if (!at("model").options.length) await models();
    const answer = await ask("/v1/tag", { text, model: at("model").value, offsets: "utf16" });
    answered = { text, entities: answer.results[0].entities };
    show();
  } catch (error) {
    fail(error);
  }
}

async function models() {
  const info = await ask("/info");
  at("model").replaceChildren(...info.models.map((model) => new Option(model.name, model.name)));
  at("legend").replaceChildren(...[...new Set(info.models.flatMap((model) => model.labels))].map((label) => {
    const mark = document.createElement("mark");
    mark.className = colour(label);
    mark.textContent = label;
    return mark;
  }));
}

at("tag").addEventListener("click", tag);
at("least").addEventListener("input", show);
at("key").addEventListener("change", () => models().catch(fail));
// A text in the address (#text=...) is tagged at once, so that an example can be linked to.
models().then(() => {
  const given = new URLSearchParams(location.hash.slice(1)).get("text");
  if (given) {
    at("text").value = given;
    tag();
  }
}).catch(fail);
