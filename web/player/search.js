// Searching the recording: what is written on its slides and in its chat. All
// the words that are typed must be in a place; accents and case do not count.

import { byId, handOn, make } from './dom.js';
import { slideName } from './strip.js';

// Fewer characters find too much.
const fewest = 2;

// More places than these are not listed.
const most = 60;

// What is shown of a place, in characters before the first word and in all.
const before = 30;
const length = 120;

// Marks that a reader can do without: accents, and the points of Hebrew and
// Arabic. In other scripts marks are vowels.
const accents = /(?=\p{M})[\p{Script=Inherited}\p{Script=Hebrew}]/gu;

// A character as it is compared: without accents and case, and a ligature as its
// letters.
function bare(char) {
	if (char.length === 1 && char < '\u0080') {
		return char.toLowerCase(); // as most are
	}
	const letters = char.normalize('NFKC').normalize('NFD').replace(accents, '').normalize('NFC');
	return (letters || char).toLowerCase().replace('ς', 'σ');
}

// The characters of a text, each with the marks that are written after it.
const characters = (text) => text.normalize('NFC').match(/\P{M}\p{M}*|\p{M}+/gu) ?? [];

const plain = (text) => characters(text).map(bare).join('');

const wordsOf = (query) => plain(query).split(/\s+/).filter(Boolean);

/**
 * The places that have all words, in order of time.
 * @param {{time: number, text: string, name: string, plain?: string}[]} places
 * @param {string} query
 */
export function find(places, query) {
	const words = wordsOf(query);
	if (words.join('').length < fewest) {
		return [];
	}
	return places.filter((p) => {
		p.plain ??= plain(p.text);
		return words.every((w) => p.plain?.includes(w));
	});
}

/**
 * A part of a text around the first word.
 * @param {string} text
 * @param {string} query
 * @returns {{text: string, hit: boolean}[]} what is a word and what is between, in turn
 */
export function around(text, query) {
	const shown = characters(text);
	const letters = shown.map(bare);
	const compared = letters.join('');
	const origin = letters.flatMap((l, i) => Array(l.length).fill(i)); // the number of the character in shown
	const hits = new Set();
	for (const word of wordsOf(query)) {
		for (let at = compared.indexOf(word); at >= 0; at = compared.indexOf(word, at + 1)) {
			origin.slice(at, at + word.length).forEach((i) => hits.add(i));
		}
	}
	const from = Math.max(0, shown.findIndex((_, i) => hits.has(i)) - before);
	const end = Math.min(shown.length, from + length);
	const parts = [{ text: from > 0 ? '…' : '', hit: false }];
	for (let i = from; i < end; i++) {
		if (hits.has(i) !== parts.at(-1).hit) {
			parts.push({ text: '', hit: hits.has(i) });
		}
		parts.at(-1).text += shown[i];
	}
	return [...parts, { text: end < shown.length ? '…' : '', hit: false }].filter((p) => p.text);
}

function excerpt(text, query) {
	const parts = around(text, query).map((p) => (p.hit ? make('mark', { text: p.text }) : p.text));
	return make('span', { class: 'excerpt', dir: 'auto' }, ...parts);
}

/**
 * @param {object} o
 * @param {any[]} o.slides
 * @param {any[]} o.lines  of the chat
 * @param {import('./i18n.js').Texts} o.texts
 * @param {(time: number) => void} o.seek
 */
export function createSearch({ slides, lines, texts, seek }) {
	const input = byId('search');
	const results = byId('results');
	const open = byId('search-open');
	const places = [
		...slides.filter((s) => s.text).map((s) => ({ time: s.in, text: s.text.replace(/\s+/g, ' '), name: slideName(s, texts) })),
		...lines.map((l) => ({ time: l.time, name: l.name || texts.say(l.kind), text: textOf(l) })).filter((p) => p.text),
	].sort((a, b) => a.time - b.time);

	function textOf(line) {
		return line.kind === 'poll' ? [line.poll.question, ...line.poll.answers.map((a) => a.key)].join(' ') : line.parts.map((p) => p.text).join('');
	}

	function update() {
		const query = input.value.trim();
		const hits = find(places, query);
		results.hidden = query.length < fewest;
		byId('found').textContent = texts.say(hits.length === 0 ? 'found_none' : hits.length === 1 ? 'found_one' : 'found', { n: texts.number(hits.length) });
		byId('hits').replaceChildren(...hits.slice(0, most).map((p) => {
			const button = make('button', { type: 'button' },
				make('span', { class: 'head' }, make('bdi', { class: 'name', text: p.name }), make('span', { class: 'when', text: texts.clock(p.time) })),
				excerpt(p.text, query));
			button.addEventListener('click', () => {
				seek(p.time);
				if (matchMedia('(max-width: 48rem)').matches) {
					close();
				}
			});
			return make('li', {}, button);
		}), ...hits.length > most ? [make('li', { text: texts.say('found_more', { n: texts.number(most) }) })] : []);
	}

	function close() {
		input.value = '';
		if (open.offsetWidth > 0) { // the field goes, too
			handOn('#finder', 'search-open');
		} else if (document.activeElement === input) {
			input.blur(); // into the page, whose keys are wanted now
		} else {
			handOn('#results', 'search');
		}
		results.hidden = true;
		byId('finder').classList.remove('open');
		open.setAttribute('aria-expanded', 'false');
	}

	function focus() {
		byId('finder').classList.add('open');
		open.setAttribute('aria-expanded', 'true');
		input.focus();
		input.select();
	}

	open.addEventListener('click', () => (open.getAttribute('aria-expanded') === 'true' ? close() : focus()));
	input.addEventListener('input', update);
	input.addEventListener('keydown', (event) => {
		if (event.key === 'Enter' || event.key === 'ArrowDown') {
			event.preventDefault();
			byId('hits').querySelector('button')?.focus();
		}
	});
	byId('hits').addEventListener('keydown', (event) => {
		const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
		if (step) {
			const all = [...byId('hits').querySelectorAll('button')];
			event.preventDefault();
			event.stopPropagation();
			(all[all.indexOf(document.activeElement) + step] ?? input).focus();
		}
	});
	document.addEventListener('pointerdown', (event) => {
		if (!results.hidden && !event.target.closest('#finder, #search-open')) {
			results.hidden = true;
		}
	});
	byId('finder').addEventListener('focusout', ({ currentTarget: finder, relatedTarget: to }) => {
		results.hidden ||= to !== null && !finder.contains(to);
	});
	input.addEventListener('focus', update);
	update(); // what was typed meanwhile
	return { focus, close };
}
