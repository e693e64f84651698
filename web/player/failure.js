// What the page says when there is nothing to play, and the note about what of a
// recording could not be read.

import { byId, make } from './dom.js';

const kinds = new Set(['missing', 'expired', 'media', 'network']);

/**
 * @param {unknown} cause
 * @param {import('./i18n.js').Texts} texts
 */
export function fail(cause, texts) {
	const own = /** @type {any} */ (cause)?.kind;
	const kind = kinds.has(own) ? own : 'network';
	const root = document.documentElement;
	root.dataset.state = 'failed';
	root.dataset.failure = kind;
	byId('loading').hidden = true;
	byId('player').hidden = true;
	byId('failure').hidden = false;
	byId('failure-title').textContent = texts.say(`${kind}_title`);
	byId('failure-text').textContent = texts.say(`${kind}_text`);
	byId('retry').hidden = kind !== 'network';
	byId('retry').addEventListener('click', () => location.reload());
	document.title = texts.say(`${kind}_title`);
}

/** The list of what could not be read; it can grow while playing. */
export function createProblems({ texts }) {
	const known = new Set();
	return {
		/** @param {string} file  @param {string} reason  @param {string} [detail]  @returns {boolean} whether that is new */
		add(file, reason, detail = '') {
			const line = texts.say(`problem_${reason.replaceAll('-', '_')}`, { detail });
			const text = line.startsWith('problem_') ? reason : line;
			if (known.has(file + text)) {
				return false;
			}
			known.add(file + text);
			byId('problem-list').append(make('li', {}, make('code', { text: file }), ` ${text}`));
			byId('problems').hidden = false;
			return true;
		},
	};
}
