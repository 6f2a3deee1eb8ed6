// The texts of the page in the language that was chosen.

/** One language at a time; others are fetched when they are chosen. */
export class Words {
  #texts = {};
  language = "";

  get ready() {
    return this.language !== "";
  }

  /** Fetches a language and makes it the present one. Throws when it cannot. */
  async use(language) {
    const answer = await fetch(`/languages/${language}.json`);
    if (!answer.ok) throw new Error(`language ${language}: ${answer.status}`);
    this.#texts = await answer.json();
    this.language = language;
  }

  get direction() {
    return this.#texts["language.direction"];
  }

  /** The text of key with its {placeholders} filled in; "" when there is none. */
  say(key, values = {}) {
    const text = this.#texts[key] ?? "";
    return text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
  }
}

/** Minutes and seconds, "1:05". */
export function clock(ms) {
  const s = Math.ceil(ms / 1000);
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
}
