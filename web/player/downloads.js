// What of the recording can be saved as a file: a podcast itself, and of a
// presentation what the server lists, if the operator lets it. Also the link to
// the current time.

import { byId, make } from './dom.js';
import { linkTo } from './address.js';

/**
 * @param {object} o
 * @param {{format: string, name: string, size: number, url: string}[]} [o.known]  without asking
 * @param {string} o.root  where the recording's files are
 * @param {import('./i18n.js').Texts} o.texts
 */
export async function createDownloads({ known, root, texts }) {
	const list = known ?? await listed(root);
	if (list.length === 0) {
		return;
	}
	byId('download-list').replaceChildren(...list.map((d) => {
		const text = texts.say(`format_${d.format}`);
		const name = text.startsWith('format_') ? d.format : text;
		return make('li', {}, make('a', { href: d.url, download: d.name },
			make('span', { text: name }), make('small', { text: `${d.name.split('.').pop().toUpperCase()}, ${texts.size(d.size)}` })));
	}));
	byId('downloads').hidden = false;
}

async function listed(root) {
	if (document.documentElement.dataset.downloads !== 'true') {
		return [];
	}
	try {
		const response = await fetch(`${root}.downloads.json`);
		const { downloads } = response.ok ? await response.json() : { downloads: [] };
		return Array.isArray(downloads) ? downloads : [];
	} catch {
		return []; // it plays all the same
	}
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
