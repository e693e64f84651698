// Captions: which ones there are, whether they are shown and in which language,
// and the lines of the moment. The browser reads the tracks; the page writes the
// lines itself, so that they show where there is no picture of a camera too.

import { byId, label, make } from './dom.js';
import { choose } from './i18n.js';

const rightToLeft = /^(ar|dv|fa|he|ku|ps|sd|ug|ur|yi)\b/;

/**
 * @param {object} o
 * @param {HTMLMediaElement} o.medium
 * @param {{locale: string, label: string, src: string}[]} o.list
 * @param {import('./i18n.js').Texts} o.texts
 * @param {import('./memory.js').Memory} o.memory
 * @param {(file: string) => void} o.failed  a track could not be read
 */
export function createCaptions({ medium, list, texts, memory, failed }) {
	const button = byId('captions');
	const select = byId('caption-language');
	const line = byId('caption-text');
	if (list.length === 0) {
		return { update() {}, toggle() {} };
	}
	const tags = list.map((c) => c.locale.replaceAll('_', '-'));
	const tracks = list.map((c, i) => {
		const track = make('track', { kind: 'captions', src: c.src, srclang: tags[i], label: c.label });
		medium.append(track);
		track.addEventListener('error', () => failed(c.src));
		track.addEventListener('load', () => update());
		track.track.mode = 'disabled';
		return track.track;
	});
	let on = memory.setting('captions', false);
	const wanted = memory.setting('caption_language', '');
	let chosen = Math.max(0, tags.indexOf(choose([wanted, texts.locale, ...navigator.languages], tags)));

	function show() {
		tracks.forEach((t, i) => { t.mode = on && i === chosen ? 'hidden' : 'disabled'; });
		button.setAttribute('aria-pressed', String(on));
		label(button, texts.say(on ? 'captions_off' : 'captions'));
		select.hidden = !on || list.length < 2;
		select.value = String(chosen);
		line.lang = tags[chosen];
		line.dir = rightToLeft.test(tags[chosen]) ? 'rtl' : 'auto';
		update();
	}

	function update() {
		const cues = on ? Array.from(tracks[chosen].activeCues ?? []) : [];
		const text = cues.map((cue) => /** @type {VTTCue} */ (cue).getCueAsHTML().textContent?.trim() ?? '').filter(Boolean).join('\n');
		if (line.textContent !== text) {
			line.textContent = text;
		}
		line.hidden = text === '';
	}

	function toggle() {
		on = !on;
		memory.keep('captions', on);
		show();
	}

	select.append(...list.map((c, i) => make('option', { value: i, lang: tags[i], text: c.label || c.locale })));
	select.addEventListener('change', () => {
		chosen = Number(select.value);
		memory.keep('caption_language', tags[chosen]);
		show();
	});
	button.addEventListener('click', toggle);
	button.hidden = false;
	for (const track of tracks) {
		track.addEventListener('cuechange', update);
	}
	show();
	return { update, toggle };
}
