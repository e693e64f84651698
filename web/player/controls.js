// The buttons below the picture: playing, jumps, slides, volume, speed and full
// screen. What they show is what the clock says.

import { byId, handOn, label, make } from './dom.js';
import { setIcon } from './icons.js';
import { rates } from './clock.js';

/** How far the jumps go, in seconds. */
export const jump = 15;

// Who goes back to the previous slide within so many seconds of a slide means
// the one before it.
const justBegun = 2;

/**
 * @param {object} o
 * @param {import('./clock.js').Clock} o.clock
 * @param {import('./i18n.js').Texts} o.texts
 * @param {import('./memory.js').Memory} o.memory
 * @param {any[]} o.slides  showings in order of time
 */
export function createControls({ clock, texts, memory, slides }) {
	const starts = [...new Set(slides.map((s) => s.in))];

	const actions = {
		toggle: () => clock.toggle(),
		back: () => clock.seek(clock.time - jump),
		forward: () => clock.seek(clock.time + jump),
		previous: () => clock.seek(starts.findLast((t) => t < clock.time - justBegun) ?? 0),
		next: () => {
			const to = starts.find((t) => t > clock.time + 0.05);
			if (to !== undefined && to < clock.duration) {
				clock.seek(to);
			}
		},
		louder: () => setVolume(clock.volume + 0.1),
		quieter: () => setVolume(clock.volume - 0.1),
		mute: () => {
			clock.setMuted(!clock.muted);
			if (!clock.muted && clock.volume === 0) {
				clock.setVolume(0.5);
			}
		},
		faster: () => setRate(rates.find((r) => r > clock.rate)),
		slower: () => setRate(rates.findLast((r) => r < clock.rate)),
	};

	function setVolume(volume) {
		clock.setVolume(Math.round(volume * 100) / 100);
		memory.keep('volume', clock.volume);
	}

	function setRate(rate) {
		if (rate !== undefined) {
			clock.setRate(rate);
			memory.keep('rate', rate);
		}
	}

	const speed = byId('speed');
	speed.append(...rates.map((r) => make('option', { value: r, text: `${texts.number(r)}×` })));
	speed.addEventListener('change', () => setRate(Number(speed.value)));
	const volume = byId('volume');
	volume.addEventListener('input', () => setVolume(Number(volume.value) / 100));
	for (const [id, action] of Object.entries({ play: 'toggle', start: 'toggle', back: 'back', forward: 'forward', previous: 'previous', next: 'next', mute: 'mute' })) {
		byId(id).addEventListener('click', actions[action]);
	}
	for (const id of ['previous', 'next']) {
		byId(id).hidden = starts.length < 2;
	}

	let begun = false;
	function refresh() {
		const { playing, muted } = clock;
		begun ||= playing;
		setIcon(byId('play'), playing ? 'pause' : 'play');
		label(byId('play'), texts.say(playing ? 'pause' : 'play'));
		if (begun) { // whoever stops later wants to look
			handOn('#start', 'play');
			byId('start').hidden = true;
		}
		const silent = muted || clock.volume === 0;
		setIcon(byId('mute'), silent ? 'mute' : 'loud');
		byId('mute').setAttribute('aria-pressed', String(silent));
		volume.value = String(silent ? 0 : Math.round(clock.volume * 100));
		speed.value = String(clock.rate);
		if (speed.selectedIndex < 0) { // it was set by somebody else
			speed.options[rates.length] = new Option(`${texts.number(clock.rate)}×`, String(clock.rate), false, true);
		}
		byId('total').textContent = texts.clock(clock.duration);
	}

	let second = -1;
	let waiting = false;
	function update(time) {
		if (Math.floor(time) !== second) {
			second = Math.floor(time);
			byId('now').textContent = texts.clock(time);
		}
		if (clock.waiting !== waiting) {
			waiting = clock.waiting;
			byId('waiting').hidden = !waiting;
		}
	}

	clock.setVolume(Math.min(Math.max(memory.setting('volume', 1), 0.05), 1));
	const remembered = memory.setting('rate', 1);
	clock.setRate(rates.includes(remembered) ? remembered : 1);
	clock.addEventListener('state', refresh);
	refresh();
	return { update, actions };
}
