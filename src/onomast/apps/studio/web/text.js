// Pure functions on tokens, tags and spans. A span is {start, end, label}; `end` is exclusive.

export function spansOf(tags) {
  const spans = [];
  (tags || []).forEach((tag, place) => {
    if (tag && tag.startsWith("B-")) spans.push({ start: place, end: place + 1, label: tag.slice(2) });
    else if (tag && tag.startsWith("I-") && spans.length) spans[spans.length - 1].end = place + 1;
  });
  return spans;
}

// Tags of confirmed spans; of all other tokens `rest` says what they are: "O", or null for not annotated.
export function tagsOf(length, spans, rest) {
  const tags = Array.from({ length }, (_, place) => rest(place));
  for (const { start, end, label } of spans) {
    for (let place = start; place < end; place += 1) tags[place] = `${place === start ? "B" : "I"}-${label}`;
  }
  return tags;
}

export function overlap(a, b) { return a.start < b.end && b.start < a.end; }

export function same(tokens, span, others) {
  const words = tokens.slice(span.start, span.end).join("\u0000");
  const size = span.end - span.start;
  const found = [];
  for (let start = 0; start + size <= others.length; start += 1) {
    if (others.slice(start, start + size).join("\u0000") === words) found.push({ start, end: start + size, label: span.label });
  }
  return found;
}

export function graphemes(word) {
  if (typeof Intl !== "undefined" && Intl.Segmenter) {
    return [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(word)].map((part) => part.segment);
  }
  return Array.from(word);
}

// Python counts code points, JavaScript UTF-16 units.
export function codePoints(text) { return Array.from(text).length; }

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
export function isRightToLeft(tokens) {
  for (const letter of tokens.join("")) {
    if (RIGHT_TO_LEFT.test(letter)) return true;
    if (/\p{L}/u.test(letter)) return false;
  }
  return false;
}

// Where a name may stand: for the key that jumps. By the tagger where there is one, else by capital letters.
export function candidates(tokens, begins, spans) {
  const likely = tokens.map((token, place) => {
    if (begins.length === tokens.length) return begins[place] >= 0.15;
    return place > 0 && /^\p{Lu}/u.test(token) && !/^[.!?"“«:]$/u.test(tokens[place - 1]);
  });
  const found = spans.map(({ start, end }) => ({ start, end }));
  const inside = (place) => found.some((span) => span.start <= place && place < span.end);
  for (let place = 0; place < tokens.length; place += 1) {
    if (!likely[place] || inside(place)) continue;
    let end = place + 1;
    while (end < tokens.length && begins.length !== tokens.length && likely[end] && !inside(end)) end += 1;
    found.push({ start: place, end });
    place = end - 1;
  }
  return found.sort((a, b) => a.start - b.start);
}

export function percent(value) { return value == null ? "–" : `${Math.round(value * 100)} %`; }
