// The language of the page: which one, its texts, and how it writes times, dates
// and numbers. The texts of a language are a file, locale/LANGUAGE.json; the page
// names those that there are in data-locales.

import { setIcon } from './icons.js';
import { label } from './dom.js';

const reference = 'en';

/**
 * The first of the wanted languages that there is, or of which there is a
 * relative: de-AT is served with de.
 * @param {string[]} wanted
 * @param {string[]} known
 */
export function choose(wanted, known) {
	for (const tag of wanted) {
		const parts = tag.toLowerCase().replaceAll('_', '-').split('-');
		for (; parts.length > 0; parts.pop()) {
			const found = known.find((k) => k.toLowerCase() === parts.join('-'));
			if (found) {
				return found;
			}
		}
	}
	return reference;
}

async function read(locale) {
	const response = await fetch(new URL(`./locale/${locale}.json`, import.meta.url));
	if (!response.ok) {
		throw new Error(`locale ${locale}: ${response.status}`);
	}
	return response.json();
}

/** The texts of one language, and how it writes what is no text. */
export class Texts {
	#texts;
	#units = new Map();
	#numbers = /** @type {Intl.NumberFormat|null} */ (null);

	/** @param {string} locale  @param {Record<string, string>} texts */
	constructor(locale, texts) {
		this.locale = locale;
		this.#texts = texts;
		this.dir = texts.dir === 'rtl' ? 'rtl' : 'ltr';
	}

	/**
	 * The texts in the language that the address asks for, else the browser, else
	 * the page. A language that cannot be had is no reason not to play.
	 */
	static async open() {
		const root = document.documentElement;
		const known = (root.dataset.locales ?? reference).split(' ');
		const asked = new URLSearchParams(location.search).get('locale');
		const wanted = [...(asked ? [asked] : []), ...navigator.languages, root.lang];
		const locale = choose(wanted, known);
		for (const tag of new Set([locale, reference])) {
			try {
				return new Texts(tag, await read(tag));
			} catch {
				// The next one may be there.
			}
		}
		return new Texts(reference, {});
	}

	/**
	 * A text by its key, with {name} filled in.
	 * @param {string} key  @param {Record<string, string|number>} [values]
	 */
	say(key, values = {}) {
		const text = Object.hasOwn(this.#texts, key) ? this.#texts[key] : key;
		return text.replace(/\{(\w+)\}/g, (whole, name) => (Object.hasOwn(values, name) ? String(values[name]) : whole));
	}

	/** A time as a clock shows it: 1:05, or 1:02:03. @param {number} seconds */
	clock(seconds) {
		const s = Math.max(0, Math.floor(seconds));
		const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
		const hours = Math.floor(s / 3600);
		const minutes = Math.floor(s / 60) % 60;
		return hours > 0 ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
	}

	/** A time in words, as a screen reader says it. @param {number} seconds */
	spoken(seconds) {
		const s = Math.max(0, Math.floor(seconds));
		const parts = [];
		for (const [unit, n] of /** @type {[string, number][]} */ ([['hour', Math.floor(s / 3600)], ['minute', Math.floor(s / 60) % 60], ['second', s % 60]])) {
			if (n > 0 || unit === 'second') {
				parts.push(this.#unit(unit).format(n));
			}
		}
		return parts.join(' ');
	}

	#unit(unit) {
		let format = this.#units.get(unit);
		if (!format) {
			format = new Intl.NumberFormat(this.locale, { style: 'unit', unit, unitDisplay: 'long' });
			this.#units.set(unit, format);
		}
		return format;
	}

	/** @param {Date} date */
	date(date) {
		return new Intl.DateTimeFormat(this.locale, { dateStyle: 'long', timeStyle: 'short' }).format(date);
	}

	/** A size in a unit that people read. @param {number} bytes */
	size(bytes) {
		const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'];
		let n = bytes;
		while (n >= 1000 && units.length > 1) {
			n /= 1000;
			units.shift();
		}
		return new Intl.NumberFormat(this.locale, { style: 'unit', unit: units[0], maximumSignificantDigits: 2 }).format(n);
	}

	/** @param {number} n */
	number(n) {
		this.#numbers ??= new Intl.NumberFormat(this.locale, { maximumFractionDigits: 2 });
		return this.#numbers.format(n);
	}

	/** Writes texts, labels and icons where the page asks for them. */
	fill() {
		document.documentElement.lang = this.locale;
		document.documentElement.dir = this.dir;
		for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-text]'))) {
			element.textContent = this.say(element.dataset.text ?? '');
		}
		for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-label]'))) {
			label(element, this.say(element.dataset.label ?? ''));
		}
		for (const element of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll('[data-placeholder]'))) {
			element.placeholder = this.say(element.dataset.placeholder ?? '');
		}
		for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-icon]'))) {
			setIcon(element, element.dataset.icon ?? '');
		}
	}
}
