// What of the recording can be saved as a file, if the operator lets it: the
// server lists it. Also the link to the current time.

import { byId, make } from './dom.js';
import { linkTo } from './address.js';

/**
 * @param {object} o
 * @param {string} o.id
 * @param {string} o.root  where the recording's files are
 * @param {import('./i18n.js').Texts} o.texts
 * @param {AbortSignal} [o.signal]
 */
export async function createDownloads({ id, root, texts, signal }) {
	let list = [];
	try {
		const response = await fetch(`${root}.downloads.json`, { signal });
		list = response.ok ? (await response.json()).downloads : [];
	} catch {
		return; // nothing to offer
	}
	if (!Array.isArray(list) || list.length === 0) {
		return;
	}
	byId('download-list').replaceChildren(...list.map((d) => {
		const known = texts.say(`format_${d.format}`);
		const name = known.startsWith('format_') ? d.format : known;
		return make('li', {}, make('a', { href: d.url, download: d.name },
			make('span', { text: name }), make('small', { text: `${d.name.split('.').pop().toUpperCase()}, ${texts.size(d.size)}` })));
	}));
	byId('downloads').hidden = false;
}

/**
 * @param {object} o
 * @param {import('./clock.js').Clock} o.clock
 * @param {import('./i18n.js').Texts} o.texts
 * @param {(text: string) => void} o.say
 */
export function createShare({ clock, texts, say }) {
	const menu = byId('share');
	const input = byId('link');
	menu.addEventListener('toggle', () => {
		if (menu.open) {
			byId('link-label').textContent = texts.say('link_at', { time: texts.clock(clock.time) });
			input.value = linkTo(new URL(location.href), clock.time);
			input.focus();
			input.select();
		}
	});
	byId('copy').addEventListener('click', async () => {
		input.select();
		try {
			await navigator.clipboard.writeText(input.value);
		} catch {
			// In a page within another site's the clipboard may be out of reach: the
			// older way, and else the link stays selected.
			if (!document.execCommand('copy')) {
				return;
			}
		}
		menu.open = false;
		menu.querySelector('summary').focus();
		say(texts.say('copied'));
	});
}
