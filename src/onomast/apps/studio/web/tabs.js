// The tabs that show: progress, mistakes, suspects, try it, taggers.

import { ask, change } from "./api.js";
import { percent } from "./text.js";
import { html, useEffect, useState } from "./ui.js";

function jobOf(state, kind) { return state.jobs.find((one) => one.kind === kind); }
function isBusy(job) { return job && (job.state === "running" || job.state === "waiting"); }

function Start({ state, kind, title, say, refresh, detail = "" }) {
  const job = jobOf(state, kind);
  const ask_ = async () => { try { await change("job", { kind, detail }); await refresh(); } catch (error) { say(error.message, true); } };
  return html`<p class="row"><button class="primary" disabled=${isBusy(job)} onClick=${ask_}>${isBusy(job) ? "Working …" : title}</button>
    ${job && job.state === "failed" && html`<span class="quiet">${job.message}</span>`}
    ${job && job.state === "done" && html`<span class="quiet">Last done ${new Date(job.ended * 1000).toLocaleTimeString()}</span>`}</p>`;
}

function Progress({ state, refresh, say }) {
  const [speed, setSpeed] = useState(null);
  useEffect(() => { ask("speed").then(setSpeed).catch((error) => say(error.message, true)); }, [state.change]);
  const job = jobOf(state, "progress");
  const curve = (job && job.result.curve) || [];
  const people = speed ? Object.entries(speed.people) : [];
  return html`<section class="card"><h2>How good is the tagger?</h2>
    <p class="quiet">F1 of entities in sentences that the tagger did not learn from, drawn at random; the band is the 95 % interval.</p>
    ${curve.length > 0 ? html`<${Curve} points=${curve} />` : html`<p>No curve yet: finish at least five sentences, then draw it.</p>`}
    <${Start} state=${state} kind="progress" title="Draw the learning curve" say=${say} refresh=${refresh} /></section>
  <section class="card"><h2>Labels and people</h2>
    <p>${state.done} finished, ${state.new} open, ${state.skipped} skipped, ${state.flagged} flagged.</p>
    <div class="scroll"><table><thead><tr><th>Person</th><th class="number">Sentences</th><th class="number">Entities</th><th class="number">Sentences an hour</th></tr></thead><tbody>
      ${people.map(([name, one]) => html`<tr><td>${name}</td><td class="number">${one.sentences}</td><td class="number">${one.entities}</td><td class="number">${one.per_hour ?? "–"}</td></tr>`)}</tbody></table></div></section>
  <section class="card"><h2>Agreement</h2>
    ${speed && speed.agreement.length ? html`<div class="scroll"><table><thead><tr><th>Two people</th><th class="number">Sentences of both</th><th class="number">Cohen's kappa</th><th class="number">F1 of entities</th></tr></thead><tbody>
      ${speed.agreement.map((one) => html`<tr><td>${one.people.join(" and ")}</td><td class="number">${one.sentences}</td><td class="number">${one.kappa == null ? "–" : one.kappa.toFixed(2)}</td><td class="number">${percent(one.f1)}</td></tr>`)}</tbody></table></div>`
      : html`<p class="quiet">Nobody has given a second opinion yet. Under Label, choose the list “Second opinion”: you see sentences of others without their labels.</p>`}</section>`;
}

function Curve({ points }) {
  const [width, height, left, bottom] = [640, 260, 48, 34];
  const most = points[points.length - 1].sentences;
  const x = (value) => left + ((width - left - 16) * value) / most;
  const y = (value) => 12 + (height - bottom - 12) * (1 - value);
  const line = points.map((one) => `${x(one.sentences)},${y(one.f1)}`).join(" ");
  const band = [...points.map((one) => `${x(one.sentences)},${y(one.interval[1])}`), ...[...points].reverse().map((one) => `${x(one.sentences)},${y(one.interval[0])}`)].join(" ");
  const last = points[points.length - 1];
  return html`<div class="scroll"><svg viewBox=${`0 0 ${width} ${height}`} width="100%" role="img" aria-label=${`F1 ${percent(last.f1)} with ${last.sentences} sentences`}>
    ${[0, 0.25, 0.5, 0.75, 1].map((value) => html`<line class="axis" x1=${left} x2=${width - 16} y1=${y(value)} y2=${y(value)} stroke-width=${value ? 0.4 : 1} /><text x="4" y=${y(value) + 4}>${percent(value)}</text>`)}
    <polygon class="band" points=${band} /><polyline class="line" points=${line} />
    ${points.map((one) => html`<circle cx=${x(one.sentences)} cy=${y(one.f1)} r="4" /><text x=${x(one.sentences) - 8} y=${height - 12}>${one.sentences}</text>`)}</svg></div>
    <p>With ${last.sentences} sentences: <strong>${percent(last.f1)}</strong> [${percent(last.interval[0])}, ${percent(last.interval[1])}], scored on ${last.scored_on}.</p>`;
}

function Mistakes({ state, refresh, say }) {
  const job = jobOf(state, "mistakes");
  return html`<section class="card"><h2>What does the tagger get wrong?</h2>
    <p class="quiet">Every finished sentence is tagged by a tagger that learnt from the others.</p>
    <${Start} state=${state} kind="mistakes" title="Compare the tagger with your labels" say=${say} refresh=${refresh} />
    ${job && job.state === "done" && html`<iframe sandbox="allow-scripts" title="Mistakes of the tagger" src=${`mistakes.html?${job.id}`}></iframe>`}</section>`;
}

function Suspects({ state, refresh, say }) {
  const [found, setFound] = useState(null);
  const job = jobOf(state, "suspects");
  const load = () => ask("suspects").then(setFound).catch((error) => say(error.message, true));
  useEffect(() => { load(); }, [job && job.id, job && job.state, state.change]);
  const decide = async (one, keep) => {
    try {
      await change("accept", { id: one.id, version: one.version, start: one.start, end: one.end, keep, spans: one.spans.map((span) => (Array.isArray(span) ? span : [span.start, span.end, span.label])) });
      await load();
      refresh();
    } catch (error) { say(error.message, true); load(); }
  };
  const rows = found ? found.suspects : [];
  return html`<section class="card"><h2>Labels that may be wrong</h2>
    <p class="quiet">The most suspicious first. “Accept” takes what the tagger would say; “keep” leaves your label and takes it off this list.</p>
    <${Start} state=${state} kind="suspects" title="Look for suspects" say=${say} refresh=${refresh} />
    ${found && found.searched && !rows.length && html`<p>No suspect is left.</p>`}
    <ul class="plain">${rows.slice(0, 50).map((one) => html`<li key=${`${one.id} ${one.start}`}>
      <p dir="auto">${one.words.slice(Math.max(0, one.start - 8), one.start).join(" ")} <strong>${one.words.slice(one.start, one.end).join(" ")}</strong> ${one.words.slice(one.end, one.end + 8).join(" ")}</p>
      <p class="quiet">Your label: <bdi>${one.given === "O" ? "none" : one.given}</bdi>, to which the tagger gives ${percent(1 - one.suspicion)}. It would say: <bdi>${one.suggestion === "O" ? "none" : one.suggestion}</bdi>.</p>
      <div class="row"><button onClick=${() => decide(one, false)}>Accept</button><button onClick=${() => decide(one, true)}>Keep</button><a class="button" href=${`#label/${one.id}`}>Open</a></div></li>`)}</ul></section>`;
}

function Try({ state, say }) {
  const [text, setText] = useState("");
  const [tagged, setTagged] = useState(null);
  const colours = Object.fromEntries(state.labels.map((one) => [one.name, one.colour]));
  const run = async () => { try { setTagged((await change("try", { text })).sentences); } catch (error) { say(error.message, true); } };
  return html`<section class="card"><h2>Try the tagger</h2>
    <label class="field"><span>Any text</span><textarea dir="auto" value=${text} onInput=${(event) => setText(event.target.value)}></textarea></label>
    <button class="primary" disabled=${!text.trim()} onClick=${run}>Find the names</button>
    ${tagged && html`<div class="sentence" dir="auto">${tagged.map((one) => {
      const parts = [];
      for (let index = 0; index < one.tokens.length; index += 1) {
        const span = one.spans.find(([start]) => start === index);
        const end = span ? span[1] : index + 1;
        const words = one.tokens.slice(index, end).map((word, inner) => word + (index + inner + 1 < end ? one.gaps[index + inner] : "")).join("");
        parts.push(span ? html`<span class="span" style=${{ "--colour": colours[span[2]] }}>${words}<span class="name">${span[2]} ${percent(span[3])}</span></span>` : words, one.gaps[end - 1]);
        index = end - 1;
      }
      return html`<p dir="auto">${parts}</p>`;
    })}</div>`}</section>`;
}

function Taggers({ state, refresh, say }) {
  const [found, setFound] = useState({ taggers: [], recipes: [] });
  const [recipe, setRecipe] = useState("crf");
  const done = state.jobs.map((one) => `${one.id}${one.state}`).join();
  useEffect(() => { ask("taggers").then(setFound).catch((error) => say(error.message, true)); }, [done]);
  const use = async (detail) => { try { await change("job", { kind: "use", detail }); say("From now on this tagger suggests."); refresh(); } catch (error) { say(error.message, true); } };
  return html`<section class="card"><h2>Train a tagger</h2>
    <label class="field"><span>Recipe</span><select value=${recipe} onChange=${(event) => setRecipe(event.target.value)}>${found.recipes.map((one) => html`<option value=${one.name}>${one.name} (${one.takes}): ${one.description}</option>`)}</select></label>
    <${Start} state=${state} kind="train" detail=${recipe} title=${`Train from ${state.done} sentences`} say=${say} refresh=${refresh} /></section>
  <section class="card"><h2>Taggers</h2>
    <div class="scroll"><table><thead><tr><th>Tagger</th><th>Recipe</th><th class="number">Sentences</th><th class="number">F1, out of fold</th><th>When</th><th></th></tr></thead><tbody>
    ${found.taggers.map((one) => html`<tr><td>${one.name === "current" ? html`<strong>current</strong> (suggests)` : one.name}</td><td>${one.recipe}</td><td class="number">${one.sentences}</td>
      <td class="number">${one.f1 == null ? "–" : html`${percent(one.f1)} ${one.interval && `[${percent(one.interval[0])}, ${percent(one.interval[1])}]`}`}</td><td>${new Date(one.at * 1000).toLocaleString()}</td>
      <td class="row"><a class="button" href=${`api/tagger?name=${encodeURIComponent(one.name)}`} download>Download</a>${one.name !== "current" && html`<button onClick=${() => use(one.name)}>Let it suggest</button>`}</td></tr>`)}</tbody></table></div>
    ${!found.taggers.length && html`<p class="quiet">None yet. After ten finished sentences the first one comes by itself.</p>`}
    <p class="quiet small">On the command line: onomast tag FOLDER text.txt, with the unpacked folder.</p></section>`;
}

export const tabs = { progress: Progress, mistakes: Mistakes, suspects: Suspects, try: Try, taggers: Taggers };
