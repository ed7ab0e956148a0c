// The tab where text comes in and labels go out: import, export, labels and guidelines, the list, what `check` finds.

import { ask, change, upload } from "./api.js";
import { html, useEffect, useRef, useState } from "./ui.js";

const FORMATS = { columns: "Columns (CoNLL, one token a line)", conllu: "CoNLL-U", jsonl: "JSON lines", brat: "brat", html: "A coloured page (HTML)", project: "The whole project (to import it elsewhere)" };

export function Data({ state, refresh, say }) {
  const total = state.done + state.new + state.skipped;
  return html`<div>
    ${total === 0 && html`<section class="card big"><h2>Welcome. Three steps to a tagger of your own:</h2>
      <ol><li>Bring your text: choose a file or paste it below.</li><li>Say which names you look for: people, places, …</li><li>Label. After every ten sentences the tagger learns, and suggests more.</li></ol></section>`}
    <${Import} refresh=${refresh} say=${say} total=${total} />
    <${Labels} state=${state} refresh=${refresh} say=${say} />
    ${total > 0 && html`<${Export} state=${state} /><${Check} say=${say} /><${List} state=${state} say=${say} />`}
  </div>`;
}

function Import({ refresh, say, total }) {
  const [kind, setKind] = useState("auto");
  const [label, setLabel] = useState("");
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const choice = useRef(null);
  const send = async (file) => {
    setBusy(true);
    try { say((await upload(file, { kind, label })).message); setText(""); await refresh(); } catch (error) { say(error.message, true); }
    setBusy(false);
    if (choice.current) choice.current.value = "";
  };
  return html`<section class="card"><h2>${total ? "Add more text" : "1. Bring your text"}</h2>
    <div class="row">
      <label class="field"><span>What is it?</span><select value=${kind} onChange=${(event) => setKind(event.target.value)}>
        <option value="auto">Find out (raw text, or labelled in any format)</option><option value="text">Raw text</option><option value="words">A list of names, one a line</option></select></label>
      ${kind === "words" && html`<label class="field"><span>Their label</span><input type="text" value=${label} placeholder="LOC" onInput=${(event) => setLabel(event.target.value)} /></label>`}
      <label class="field"><span>File (text, CoNLL, JSON, Parquet …)</span><input type="file" ref=${choice} disabled=${busy} onChange=${(event) => event.target.files[0] && send(event.target.files[0])} /></label>
    </div>
    <label class="field"><span>Or paste text here</span><textarea dir="auto" value=${text} onInput=${(event) => setText(event.target.value)}></textarea></label>
    <button class=${total ? "" : "primary"} disabled=${busy || !text.trim()} onClick=${() => send(new File([text], "pasted.txt"))}>${busy ? "Reading …" : "Add this text"}</button>
  </section>`;
}

function Labels({ state, refresh, say }) {
  const [rows, setRows] = useState(null);
  const [name, setName] = useState("");
  const [categories, setCategories] = useState(null);
  const shown = rows || state.labels;
  const edit = (index, values) => setRows(shown.map((one, place) => (place === index ? { ...one, ...values } : one)));
  const save = async (labels) => {
    try {
      const sentence_labels = categories == null ? state.sentence_labels : categories.split(",");
      await change("labels", { labels, sentence_labels });
      await refresh();
      setRows(null);
      setCategories(null);
      say("Labels saved.");
    } catch (error) { say(error.message, true); }
  };
  const add = (event) => {
    event.preventDefault();
    const names = name.split(/[\s,]+/).filter(Boolean);
    setName("");
    save([...shown, ...names.map((one) => ({ name: one, colour: "", guideline: "" }))]);
  };
  return html`<section class="card"><h2>${state.labels.length ? "Labels and guidelines" : "2. Which names?"}</h2>
    ${!shown.length && html`<p class="row"><span class="quiet">Often used:</span> <button onClick=${() => save(["PER", "LOC", "ORG", "DATE"].map((one) => ({ name: one, colour: "", guideline: "" })))}>PER LOC ORG DATE</button></p>`}
    ${shown.length > 0 && html`<div class="scroll"><table><thead><tr><th>Key</th><th>Label</th><th>Colour</th><th>Guideline: what belongs to it, what does not</th><th></th></tr></thead><tbody>
      ${shown.map((one, index) => html`<tr key=${index}><td>${index < 10 ? (index + 1) % 10 : ""}</td><td>${one.name}</td>
        <td><input type="color" aria-label=${`Colour of ${one.name}`} value=${one.colour} onInput=${(event) => edit(index, { colour: event.target.value })} /></td>
        <td><input type="text" dir="auto" size="40" aria-label=${`Guideline of ${one.name}`} value=${one.guideline} onInput=${(event) => edit(index, { guideline: event.target.value })} /></td>
        <td><button class="link" aria-label=${`Take ${one.name} off the list`} onClick=${() => setRows(shown.filter((_, place) => place !== index))}>Take off</button></td></tr>`)}</tbody></table></div>`}
    <form class="row" onSubmit=${add}><input type="text" aria-label="New labels" placeholder="New labels, such as PER LOC" value=${name} onInput=${(event) => setName(event.target.value)} />
      <button disabled=${!name.trim()}>Add</button>${rows && html`<button class="primary" type="button" onClick=${() => save(rows)}>Save changes</button>`}</form>
    <label class="field"><span>Labels of whole sentences, separated by commas (where the project has them)</span>
      <input type="text" value=${categories == null ? state.sentence_labels.join(", ") : categories} onInput=${(event) => setCategories(event.target.value)} /></label>
    ${categories != null && html`<button onClick=${() => save(shown)}>Save sentence labels</button>`}
    ${state.labels.length > 0 && state.new > 0 && html`<p><a class="button" href="#label">Start labelling</a></p>`}
  </section>`;
}

function Export({ state }) {
  const [format, setFormat] = useState("columns");
  const [splits, setSplits] = useState(false);
  const query = new URLSearchParams({ format, splits: splits ? "1" : "0" });
  const ready = state.done > 0 || format === "project";
  return html`<section class="card"><h2>Take your labels away</h2>
    <div class="row"><label class="field"><span>Format</span><select value=${format} onChange=${(event) => setFormat(event.target.value)}>${Object.entries(FORMATS).map(([key, title]) => html`<option value=${key}>${title}</option>`)}</select></label>
    ${format !== "project" && html`<label><input type="checkbox" checked=${splits} onChange=${(event) => setSplits(event.target.checked)} /> train, dev and test apart (80, 10, 10 %)</label>`}</div>
    ${ready ? html`<a class="button" href=${`api/export?${query}`} download>Download ${format === "project" ? "the project" : `${state.done} finished sentences`}</a>`
      : html`<p class="quiet">Finish a sentence first: label it and press Enter.</p>`}</section>`;
}

function Check({ say }) {
  const [found, setFound] = useState(null);
  const look = async () => { try { setFound((await ask("check")).findings); } catch (error) { say(error.message, true); } };
  const kinds = found ? [...new Set(found.map((one) => one.kind))] : [];
  return html`<section class="card"><h2>Check</h2><p class="quiet">Contradictions, duplicates, labels too rare to learn, names that are labelled here and not there.</p>
    <button onClick=${look}>Check the finished sentences</button>
    ${found && !found.length && html`<p>Nothing is wrong.</p>`}
    ${kinds.map((kind) => html`<h3>${found.find((one) => one.kind === kind).what}</h3><ul class="plain">${found.filter((one) => one.kind === kind).slice(0, 30).map((one) => html`<li class="row between">
      <span><strong dir="auto">${one.text}</strong> <span class="quiet small">${one.detail.replaceAll("sentence:", "sentence ")}</span></span>
      ${one.id && html`<a class="button" href=${`#label/${one.id}`}>Mend it</a>`}</li>`)}</ul>`)}</section>`;
}

function List({ state, say }) {
  const [words, setWords] = useState("");
  const [status, setStatus] = useState("");
  const [start, setStart] = useState(0);
  const [found, setFound] = useState({ total: 0, rows: [] });
  useEffect(() => {
    const timer = setTimeout(() => ask("search", { words, status, start }).then(setFound).catch((error) => say(error.message, true)), 200);
    return () => clearTimeout(timer);
  }, [words, status, start, state.change]);
  const names = { new: "open", done: "finished", skipped: "skipped" };
  const colours = Object.fromEntries(state.labels.map((one) => [one.name, one.colour]));
  return html`<section class="card"><h2>All sentences</h2>
    <div class="row"><input type="text" dir="auto" aria-label="Search" placeholder="Search" value=${words} onInput=${(event) => { setWords(event.target.value); setStart(0); }} />
      <select aria-label="Which" value=${status} onChange=${(event) => { setStatus(event.target.value); setStart(0); }}><option value="">all</option><option value="new">open</option><option value="done">finished</option><option value="skipped">skipped</option><option value="flagged">flagged</option></select>
      <span class="quiet">${found.total} sentences</span></div>
    <ul class="plain">${found.rows.map((one) => html`<li class="row between"><span dir="auto">${one.text} ${one.entities.map(([text, label]) => html`<span class="chip" style=${{ "--colour": colours[label] }}>${text} · ${label}</span> `)}</span>
      <a class="button" href=${`#label/${one.id}`} aria-label=${`Open sentence ${one.id}`}>${one.flagged ? "⚑ " : ""}${names[one.status]}</a></li>`)}</ul>
    <div class="row"><button disabled=${start === 0} onClick=${() => setStart(Math.max(0, start - 50))}>Back</button><button disabled=${start + 50 >= found.total} onClick=${() => setStart(start + 50)}>More</button></div></section>`;
}
