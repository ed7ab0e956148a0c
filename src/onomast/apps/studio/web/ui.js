// Preact, its hooks and htm under one roof: templates in plain JavaScript, no build step.

import { h } from "./vendor/preact.mjs";
import htm from "./vendor/htm.mjs";

export { h, render } from "./vendor/preact.mjs";
export { useEffect, useLayoutEffect, useRef, useState } from "./vendor/hooks.mjs";
export const html = htm.bind(h);
