// The tab where people label. The state of the sentence on the page lives in one object, `work`; every change makes a
// new one, shows it at once, and is saved in order. "Saved" stands at the top when the server has it on disk.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./ui.js";
import { ask, change, Conflict, inOrder, isSaving, userName } from "./api.js";
import { candidates, codePoints, graphemes, isRightToLeft, overlap, percent, same, spansOf, tagsOf } from "./text.js";

function begin(sentence) {
  if (!sentence) return null;
  const tags = sentence.tags || [];
  const confirmed = spansOf(sentence.tags);
  const known = (start, end) => tags.slice(start, end).some((tag) => tag != null);
  const suggested = sentence.status === "done" ? [] : sentence.suggestions
    .map(([start, end, label, confidence]) => ({ start, end, label, confidence }))
    .filter((one) => !known(one.start, one.end));
  const unsure = new Set(sentence.status === "done" ? tags.flatMap((tag, place) => (tag == null ? [place] : [])) : []);
  const refused = new Set(sentence.status === "done" ? [] : tags.flatMap((tag, place) => (tag === "O" ? [place] : [])));
  return { sentence, confirmed, suggested, unsure, refused, focus: 0, anchor: 0, split: null };
}

function draftTags(work) {
  const rest = (place) => {
    if (work.sentence.status === "done") return work.unsure.has(place) ? null : "O";
    return work.refused.has(place) ? "O" : null;
  };
  return tagsOf(work.sentence.tokens.length, work.confirmed, rest);
}

function doneTags(work) {
  const spans = [...work.confirmed, ...work.suggested];
  return tagsOf(work.sentence.tokens.length, spans, (place) => (work.unsure.has(place) ? null : "O"));
}

function selection(work) {
  return { start: Math.min(work.focus, work.anchor), end: Math.max(work.focus, work.anchor) + 1 };
}

function at(spans, place) { return spans.find((span) => span.start <= place && place < span.end); }

export function Label({ state, refresh, say, wanted }) {
  const [work, setWork] = useState(null);
  const [mode, setMode] = useState("queue");
  const [empty, setEmpty] = useState(false);
  const [dialog, setDialog] = useState(null);
  const now = useRef(null);
  now.current = work;
  const show = (made) => { now.current = made; setWork(made); };
  const colours = Object.fromEntries(state.labels.map((one) => [one.name, one.colour]));

  const versions = useRef(new Map()); // of each sentence, as the server last told
  const ahead = useRef(null); // the next sentence, fetched while this one is labelled: Enter shows it at once
  const fetchAhead = async (after, way = mode) => {
    ahead.current = null;
    if (way === "second") return;
    try {
      const found = await ask("next", { user: userName(), mode: way, skip: after });
      if (now.current && now.current.sentence.id === after) ahead.current = { after, way, sentence: found.sentence };
    } catch { /* Enter will ask again, and say what is wrong */ }
  };
  const load = (sentence, focus = 0) => {
    setEmpty(!sentence);
    if (sentence) versions.current.set(sentence.id, sentence.version);
    const made = begin(sentence);
    show(made && { ...made, focus, anchor: focus });
  };
  const next = async (way = mode) => {
    try {
      const { sentence } = await ask("next", { user: userName(), mode: way });
      load(sentence);
      if (sentence) fetchAhead(sentence.id, way);
    } catch (error) { say(error.message, true); }
  };
  useEffect(() => {
    if (wanted) ask("sentence", { id: wanted }).then((found) => load(found.sentence)).catch((error) => say(error.message, true));
    else next();
  }, [wanted]);

  const failed = (error, id = null) => {
    say(error.message, true);
    if (id != null && (!now.current || now.current.sentence.id !== id)) { // it was left already: go back to it
      ask("sentence", { id }).then((found) => load(found.sentence)).catch(() => {});
      return;
    }
    if (error instanceof Conflict && error.sentence && now.current && error.sentence.id === now.current.sentence.id) load(error.sentence);
    else if (!(error instanceof Conflict) && now.current) {
      ask("sentence", { id: now.current.sentence.id }).then((found) => load(found.sentence)).catch(() => {});
    }
  };
  // Save one action; the version is that of the moment when its turn comes.
  const save = (kind, values) => {
    const id = now.current.sentence.id;
    return inOrder(async () => {
      const found = await change("act", { id, version: versions.current.get(id), kind, ...values });
      versions.current.set(id, found.sentence.version);
      if (now.current && now.current.sentence.id === id) {
        now.current.sentence = { ...now.current.sentence, version: found.sentence.version };
      }
      return found;
    }).catch((error) => { failed(error, id); throw error; });
  };
  const saveTags = (made) => {
    show(made);
    if (!made.sentence.second) save("tags", { tags: draftTags(made) }).catch(() => {});
  };

  const move = (focus, extend) => {
    const place = Math.max(0, Math.min(focus, work.sentence.tokens.length - 1));
    show({ ...work, focus: place, anchor: extend ? work.anchor : place, split: null });
  };
  const jump = (step) => {
    const found = candidates(work.sentence.tokens, work.sentence.begins, [...work.confirmed, ...work.suggested]);
    const { start, end } = selection(work);
    const onward = step > 0
      ? found.find((one) => one.start >= end || (one.start === start && one.end !== end)) || found[0]
      : [...found].reverse().find((one) => one.end <= start) || found[found.length - 1];
    if (onward) show({ ...work, anchor: onward.start, focus: onward.end - 1, split: null });
  };
  const put = (label, range = selection(work)) => {
    const span = { ...range, label };
    const apart = (one) => !overlap(one, span);
    const free = (set) => new Set([...set].filter((place) => place < span.start || place >= span.end));
    saveTags({ ...work, confirmed: [...work.confirmed.filter(apart), span].sort((a, b) => a.start - b.start),
      suggested: work.suggested.filter(apart), unsure: free(work.unsure), refused: free(work.refused) });
  };
  const remove = () => {
    const range = selection(work);
    const gone = [...work.confirmed, ...work.suggested].filter((one) => overlap(one, range));
    const refused = new Set(work.refused);
    gone.forEach((one) => { for (let place = one.start; place < one.end; place += 1) refused.add(place); });
    saveTags({ ...work, confirmed: work.confirmed.filter((one) => !overlap(one, range)),
      suggested: work.suggested.filter((one) => !overlap(one, range)), refused });
  };
  const acceptHere = () => {
    const here = work.suggested.filter((one) => overlap(one, selection(work)));
    if (here.length) saveTags({ ...work, confirmed: [...work.confirmed, ...here].sort((a, b) => a.start - b.start), suggested: work.suggested.filter((one) => !here.includes(one)) });
  };
  const unsureHere = () => {
    const { start, end } = selection(work);
    const unsure = new Set(work.unsure);
    const all = Array.from({ length: end - start }, (_, place) => start + place);
    const off = all.every((place) => unsure.has(place));
    all.forEach((place) => (off ? unsure.delete(place) : unsure.add(place)));
    const apart = (one) => !overlap(one, { start, end });
    saveTags({ ...work, unsure, confirmed: work.confirmed.filter(apart), suggested: work.suggested.filter(apart) });
  };
  const everywhere = async () => {
    const span = at(work.confirmed, work.focus) || at(work.suggested, work.focus);
    if (!span) { say("Label one of them first, then press A to label every same string in view."); return; }
    const { tokens } = work.sentence;
    const mine = same(tokens, span, tokens).filter((one) => !work.confirmed.some((other) => overlap(one, other) && other !== span));
    const suggested = work.suggested.filter((one) => !mine.some((other) => overlap(one, other)));
    const confirmed = [...work.confirmed.filter((one) => !mine.some((other) => overlap(one, other))), ...mine];
    saveTags({ ...work, confirmed: confirmed.sort((a, b) => a.start - b.start), suggested });
    let elsewhere = 0;
    for (const other of work.sentence.around.filter((one) => one.status === "new")) {
      const had = spansOf(other.tags);
      const found = same(tokens, span, other.tokens).filter((one) => !had.some((old) => overlap(one, old)));
      if (!found.length) continue;
      elsewhere += found.length;
      const tags = tagsOf(other.tokens.length, [...had, ...found], (place) => (other.tags && other.tags[place] === "O" ? "O" : null));
      inOrder(() => change("act", { id: other.id, version: other.version, kind: "tags", tags }))
        .then((saved) => { if (now.current) now.current.sentence = { ...now.current.sentence, around: now.current.sentence.around.map((one) => (one.id === other.id ? { ...one, tags: saved.sentence.tags, version: saved.sentence.version } : one)) }; show({ ...now.current }); })
        .catch(failed);
    }
    say(`Labelled ${mine.length + elsewhere} times in view.`);
  };
  const finish = async () => {
    const tags = doneTags(work);
    const { id } = work.sentence;
    if (!work.sentence.second && ahead.current && ahead.current.after === id && ahead.current.way === mode && ahead.current.sentence) {
      const saving = save("done", { tags });
      load(ahead.current.sentence);
      const shown = now.current.sentence.id;
      ahead.current = null;
      saving.then(() => { fetchAhead(shown); refresh(); }).catch(() => {});
      return;
    }
    try {
      const found = work.sentence.second
        ? await inOrder(() => change("second", { id: work.sentence.id, tags }))
        : await save("done", { tags, mode });
      load(found.next);
      if (found.next) fetchAhead(found.next.id);
      refresh();
    } catch (error) { if (work.sentence.second) failed(error); }
  };
  const skip = async () => { try { await save("skip", {}); await next(); refresh(); } catch { /* said already */ } };
  const flag = async () => {
    const on = !work.sentence.flagged;
    show({ ...work, sentence: { ...work.sentence, flagged: on } });
    save("flag", { on }).catch(() => {});
  };
  const undo = async () => {
    try {
      const found = await inOrder(() => change("undo"));
      if (found.sentence) load(found.sentence, now.current && now.current.sentence.id === found.sentence.id ? now.current.focus : 0);
      else say("There is nothing to undo.");
      refresh();
    } catch (error) { failed(error); }
  };
  const cut = async (kind, values, focus) => {
    if (work.sentence.second) { say("In a second opinion words stay as they are."); return; }
    try { const found = await save(kind, values); load({ ...found.sentence, second: work.sentence.second }, focus); } catch { /* said already */ }
  };
  const join = () => {
    let { start, end } = selection(work);
    if (end - start < 2) end = start + 2;
    if (end <= work.sentence.tokens.length) cut("join", { start, end }, start);
  };
  const category = (label) => {
    show({ ...work, sentence: { ...work.sentence, label } });
    save("label", { label }).catch(() => {});
  };

  // What somebody else changed, and new suggestions, come by themselves.
  useEffect(() => {
    if (!work || isSaving() || state.shown !== work.sentence.id || state.version == null) return;
    if (state.version > work.sentence.version) {
      ask("sentence", { id: work.sentence.id }).then((found) => {
        if (isSaving() || !now.current || now.current.sentence.id !== found.sentence.id) return;
        if (found.sentence.user !== userName()) say(`${found.sentence.user} changed this sentence.`);
        load(found.sentence, now.current.focus);
      }).catch(() => {});
    }
  }, [state]);
  const trained = state.jobs.filter((job) => job.kind === "retrain" && job.state === "done").map((job) => job.id).join();
  const seen = useRef(trained);
  useEffect(() => {
    if (seen.current === trained || !work) return;
    seen.current = trained;
    fetchAhead(work.sentence.id);
    say("The tagger has learnt from your sentences; its suggestions are paler.");
    const untouched = !work.confirmed.length && !work.refused.size && work.sentence.status === "new";
    if (untouched) ask("sentence", { id: work.sentence.id }).then((found) => { if (!isSaving()) load(found.sentence); }).catch(() => {});
  }, [trained]);
  useLayoutEffect(() => { window.onomastShown = work ? work.sentence.id : null; }, [work]);

  useLayoutEffect(() => {
    const press = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || dialog || event.target.matches("input, textarea, select, dialog *, nav *")) return;
      if (event.target.matches("button:not(.token)") && (event.key === "Enter" || event.key === " ")) return;
      if (!now.current) { if (event.code === "KeyU") { event.preventDefault(); undo(); } return; }
      const back = isRightToLeft(now.current.sentence.tokens) ? "ArrowRight" : "ArrowLeft";
      const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
      const label = digit && state.labels[(Number(digit[1]) + 9) % 10];
      const keys = {
        ArrowLeft: () => move(work.focus + (back === "ArrowLeft" ? -1 : 1), event.shiftKey),
        ArrowRight: () => move(work.focus + (back === "ArrowRight" ? -1 : 1), event.shiftKey),
        ArrowDown: () => jump(1), ArrowUp: () => jump(-1),
        Home: () => move(0, event.shiftKey), End: () => move(work.sentence.tokens.length - 1, event.shiftKey),
        Enter: finish, Backspace: remove, Delete: remove,
        Escape: () => show({ ...work, split: null, anchor: work.focus }),
      };
      const codes = { Space: () => jump(event.shiftKey ? -1 : 1), KeyU: undo, KeyS: skip, KeyF: flag, KeyN: unsureHere, KeyA: everywhere, KeyY: acceptHere,
        KeyX: remove, KeyJ: join, Slash: () => show({ ...work, split: work.focus }), KeyL: () => setDialog("labels") };
      const action = event.key === "?" ? () => setDialog("help") : label ? () => put(label.name) : keys[event.key] || codes[event.code] || (event.key === "/" ? codes.Slash : null);
      if (!action) return;
      event.preventDefault();
      if (work.split == null || event.key !== "Enter") action();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  });

  if (!work) {
    return html`<div class="card centre"><h2>${empty ? "Nothing left to label here" : "Opening …"}</h2>
      ${empty && html`<p class="quiet">Everything in this list is done. Choose another list, add text under Data, or take your labels away.</p>
        <${Lists} mode=${mode} choose=${(way) => { setMode(way); next(way); }} state=${state} />
        <p><a class="button" href="#data">Go to Data</a> <button onClick=${undo}>Undo <kbd>U</kbd></button></p>`}</div>`;
  }
  const here = at(work.confirmed, work.focus);
  const offered = at(work.suggested, work.focus);
  const guide = state.labels.find((one) => one.name === (here || offered || {}).label);
  return html`<div class="columns"><div>
    <section class="card" aria-label="Sentence to label">
      <${Palette} labels=${state.labels} put=${put} more=${() => setDialog("labels")} />
      <${Around} sentence=${work.sentence} before=${true} colours=${colours} />
      <${Words} work=${work} colours=${colours} show=${show} />
      <${Around} sentence=${work.sentence} before=${false} colours=${colours} />
      ${work.split != null && html`<${Split} word=${work.sentence.tokens[work.split]} close=${() => show({ ...work, split: null })}
        cut=${(place) => cut("split", { token: work.split, at: place }, work.split)} />`}
      ${state.sentence_labels.length > 0 && html`<p class="row"><span class="quiet">This sentence:</span>
        ${state.sentence_labels.map((name) => html`<button aria-pressed=${work.sentence.label === name} class=${work.sentence.label === name ? "primary" : ""} onClick=${() => category(work.sentence.label === name ? null : name)}>${name}</button>`)}</p>`}
      <div class="row actions">
        <button class="primary" onClick=${finish}>${work.suggested.length ? "Accept and go on" : "Done, go on"} <kbd>Enter</kbd></button>
        <button onClick=${skip} disabled=${work.sentence.second}>Skip <kbd>S</kbd></button>
        <button onClick=${flag} aria-pressed=${work.sentence.flagged}>${work.sentence.flagged ? "⚑ Flagged" : "⚐ Flag"} <kbd>F</kbd></button>
        <button onClick=${undo}>Undo <kbd>U</kbd></button>
      </div>
    </section>
    <p class="quiet small">${work.sentence.source || ""} · ${statusOf(work.sentence)}${work.sentence.user ? ` · last changed by ${work.sentence.user}` : ""}</p>
  </div>
  <aside>
    <section class="card" aria-label="The selected words">
      <h3>Selected: <bdi>${work.sentence.tokens.slice(selection(work).start, selection(work).end).join(" ")}</bdi></h3>
      <p class="quiet small" aria-live="polite">${here ? `Labelled ${here.label}` : offered ? `The tagger suggests ${offered.label}, ${percent(offered.confidence)} sure` : work.unsure.has(work.focus) ? "Not sure: nothing is learnt from it" : "No label"}</p>
      <div class="row">
        ${offered && html`<button onClick=${acceptHere}>Accept <kbd>Y</kbd></button>`}
        ${(here || offered) && html`<button onClick=${remove}>${offered ? "Refuse" : "Remove"} <kbd>⌫</kbd></button>`}
        ${(here || offered) && html`<button onClick=${everywhere}>Same everywhere <kbd>A</kbd></button>`}
        <button onClick=${unsureHere}>Not sure <kbd>N</kbd></button>
        <button onClick=${() => show({ ...work, split: work.focus })}>Split <kbd>/</kbd></button>
        <button onClick=${join}>Join <kbd>J</kbd></button>
      </div>
      ${guide && html`<hr /><h3><span class="swatch" style=${{ "--colour": guide.colour }}></span> ${guide.name}</h3><p class="small">${guide.guideline || "No guideline yet; write one under Data."}</p>`}
    </section>
    <section class="card" aria-label="Progress">
      <h3>${state.done} of ${state.done + state.new + state.skipped} done</h3>
      <div class="bar"><i style=${{ width: `${(100 * state.done) / Math.max(1, state.done + state.new + state.skipped)}%` }}></i></div>
      <p class="quiet small">${training(state)}</p>
      <${Lists} mode=${mode} choose=${(way) => { setMode(way); next(way); }} state=${state} />
      <button class="link" onClick=${() => setDialog("help")}>All keys (?)</button>
    </section>
  </aside>
  ${dialog === "help" && html`<${Help} close=${() => setDialog(null)} />`}
  ${dialog === "labels" && html`<${Chooser} labels=${state.labels} close=${() => setDialog(null)} put=${(name) => { setDialog(null); put(name); }} />`}
  </div>`;
}

function statusOf(sentence) {
  const words = { new: "not finished", done: "finished", skipped: "skipped" };
  return sentence.second ? "second opinion: label it as if nobody had" : `${words[sentence.status]}${sentence.is_random ? " · drawn at random" : ""}`;
}

function training(state) {
  const job = state.jobs.find((one) => one.kind === "retrain" || one.kind === "train");
  if (state.jobs.some((one) => (one.kind === "retrain" || one.kind === "train") && one.state === "running")) return "The tagger is learning; go on labelling.";
  if (job && job.state === "failed") return `The tagger could not learn: ${job.message}`;
  return `The tagger learns again after ${Math.max(0, state.until_retrain)} more.`;
}

function Lists({ mode, choose, state }) {
  const ways = { queue: "Best next", order: "In the order of the text", flagged: `Flagged (${state.flagged})`, skipped: `Skipped (${state.skipped})`, second: "Second opinion" };
  return html`<label class="field"><span>List</span><select value=${mode} onChange=${(event) => { choose(event.target.value); event.target.blur(); }}>
    ${Object.entries(ways).map(([key, name]) => html`<option value=${key}>${name}</option>`)}</select></label>`;
}

function Palette({ labels, put, more }) {
  if (!labels.length) return html`<p class="message">There is no label yet. <a href="#data">Add labels under Data</a>, such as PER, LOC and ORG.</p>`;
  return html`<div class="labels" role="group" aria-label="Labels">
    ${labels.slice(0, 12).map((one, place) => html`<button key=${one.name} style=${{ "--colour": one.colour }} title=${one.guideline} onClick=${() => put(one.name)}>
      ${place < 10 && html`<kbd>${(place + 1) % 10}</kbd>`}${one.name}</button>`)}
    ${labels.length > 10 && html`<button onClick=${more}>All ${labels.length} labels <kbd>L</kbd></button>`}</div>`;
}

function Words({ work, colours, show }) {
  const { tokens, gaps } = work.sentence;
  const box = useRef(null);
  const drag = useRef(null);
  useLayoutEffect(() => {
    const button = box.current && box.current.querySelector(`[data-place="${work.focus}"]`);
    const elsewhere = document.activeElement && document.activeElement.matches("input, textarea, select, dialog *");
    if (button && !elsewhere && document.activeElement !== button) button.focus({ preventScroll: false });
  }, [work.focus, work.sentence.id, tokens.length]);
  const place = (event) => {
    const found = document.elementFromPoint(event.clientX, event.clientY);
    const button = found && found.closest(".token");
    return button && box.current.contains(button) ? Number(button.dataset.place) : null;
  };
  const down = (event) => {
    const here = place(event);
    if (here == null) return;
    drag.current = event.shiftKey ? work.anchor : here;
    show({ ...work, focus: here, anchor: drag.current, split: null });
  };
  const over = (event) => {
    if (drag.current == null || !(event.buttons & 1)) return;
    const here = place(event);
    if (here != null && here !== work.focus) show({ ...work, focus: here, anchor: drag.current });
  };
  const { start, end } = selection(work);
  const token = (index) => html`<button type="button" key=${index} data-place=${index} tabindex=${index === work.focus ? 0 : -1}
    class=${`token${index >= start && index < end && (end - start > 1 || index === work.focus) ? " selected" : ""}${work.unsure.has(index) ? " unsure" : ""}`}
    aria-pressed=${index >= start && index < end}>${tokens[index]}</button>`;
  const parts = [];
  for (let index = 0; index < tokens.length; index += 1) {
    const span = at(work.confirmed, index) || at(work.suggested, index);
    if (!span) { parts.push(token(index), gaps[index]); continue; }
    const inside = [];
    for (let inner = index; inner < span.end; inner += 1) inside.push(token(inner), inner + 1 < span.end ? gaps[inner] : "");
    const pale = span.confidence != null;
    parts.push(html`<span key=${`span${index}`} class=${`span${pale ? " suggested" : ""}`} style=${{ "--colour": colours[span.label] }}>${inside}<span class="name">${span.label}${pale ? ` ${percent(span.confidence)}?` : ""}</span></span>`, gaps[span.end - 1]);
    index = span.end - 1;
  }
  return html`<div class="sentence" ref=${box} dir="auto" role="group" aria-label="Words; arrows move, digits label" onPointerDown=${down} onPointerMove=${over} onPointerUp=${() => { drag.current = null; }}>${parts}</div>`;
}

function Around({ sentence, before, colours }) {
  return sentence.around.filter((one) => (before ? one.id < sentence.id : one.id > sentence.id)).map((one) => {
    const spans = spansOf(one.tags);
    const parts = [];
    for (let index = 0; index < one.tokens.length; index += 1) {
      const span = at(spans, index);
      const end = span ? span.end : index + 1;
      const text = one.tokens.slice(index, end).map((word, inner) => word + (index + inner + 1 < end ? one.gaps[index + inner] : "")).join("");
      parts.push(span ? html`<mark style=${{ "--colour": colours[span.label] }}>${text}</mark>` : text, one.gaps[end - 1]);
      index = end - 1;
    }
    return html`<p class="context" dir="auto" key=${one.id}>${parts}</p>`;
  });
}

function Split({ word, cut, close }) {
  const parts = graphemes(word);
  const box = useRef(null);
  useEffect(() => { const first = box.current.querySelector("button"); if (first) first.focus(); }, []);
  const move = (event) => {
    const all = [...box.current.querySelectorAll("button")];
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") close();
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const forward = getComputedStyle(box.current).direction === "rtl" ? -step : step;
    const index = all.indexOf(document.activeElement) + forward;
    if (all[index]) all[index].focus();
  };
  let place = 0;
  return html`<div class="message"><p>Where shall the word be split? Choose a place with the arrows and press Enter.</p>
    <div class="split" dir="auto" ref=${box} onKeyDown=${move}>${parts.map((part, index) => {
      const here = place + codePoints(part);
      place = here;
      return html`<span>${part}</span>${index + 1 < parts.length && html`<button aria-label=${`split after ${part}`} onClick=${() => cut(here)}>|</button>`}`;
    })}</div>
    <button class="link" onClick=${close}>Leave it whole</button></div>`;
}

function Modal({ title, close, children }) {
  const box = useRef(null);
  useEffect(() => { box.current.showModal(); }, []);
  return html`<dialog ref=${box} onClose=${close} aria-label=${title}><h2>${title}</h2>${children}<p><button onClick=${() => box.current.close()}>Close</button></p></dialog>`;
}

function Chooser({ labels, put, close }) {
  const [words, setWords] = useState("");
  const found = labels.filter((one) => one.name.toLowerCase().includes(words.toLowerCase()));
  return html`<${Modal} title="Labels" close=${close}><form onSubmit=${(event) => { event.preventDefault(); if (found[0]) put(found[0].name); }}>
    <input type="text" aria-label="Type a part of its name, then Enter" placeholder="Type a part of its name, then Enter" autofocus value=${words} onInput=${(event) => setWords(event.target.value)} /></form>
    <div class="labels">${found.map((one) => html`<button style=${{ "--colour": one.colour }} onClick=${() => put(one.name)}>${one.name}</button>`)}</div></${Modal}>`;
}

function Help({ close }) {
  const keys = [["← →", "previous and next word, in reading order"], ["Shift ← →", "select more words"], ["Space, ↓", "jump to the next likely name (Shift: back)"],
    ["1 … 9, 0", "label the selection"], ["L", "choose among all labels"], ["Enter", "accept everything and go on"], ["Y", "accept this suggestion"],
    ["⌫ or X", "remove the label, refuse the suggestion"], ["A", "label every same string in view"], ["N", "not sure: nothing is learnt from this word"], ["S", "skip the sentence"],
    ["F", "flag the sentence"], ["U", "undo"], ["/", "split a word"], ["J", "join words"], ["?", "these keys"]];
  return html`<${Modal} title="Keys" close=${close}><dl class="keys">${keys.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl></${Modal}>`;
}
