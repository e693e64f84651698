// The chat beside the picture: messages, polls and external videos as one list,
// in which the lines that are yet to come are dimmed, those that the moderators
// cleared are gone, and a click on a line goes to its time. The list is built
// once; playing only changes the lines that the time passes.

import { byId, make } from './dom.js';
import { icon } from './icons.js';
import { indexAt } from './lookup.js';

// Lines that are built at once, before the browser may do something else.
const batch = 400;

// Who scrolled the list is left alone for so long, in milliseconds.
const alone = 8000;

// Answers of these polls are the same everywhere, and are translated.
const common = { YN: true, YNA: true, TF: true };

// A reply shows so much of what it answers, in characters.
const quoted = 80;

/**
 * @param {object} o
 * @param {any[]} o.lines  sorted by time
 * @param {import('./i18n.js').Texts} o.texts
 * @param {(time: number) => void} o.seek
 */
export function createChat({ lines, texts, seek }) {
	const list = byId('chat');
	const follow = byId('follow');
	const byLine = new Map(lines.map((l) => [l.id, l]));
	const clearings = lines.flatMap((l, i) => (l.cleared === null ? [] : [{ time: l.cleared, i }])).sort((a, b) => a.time - b.time);
	/** @type {HTMLElement[]} */
	const items = [];
	let past = 0; // lines before this one have been sent
	let gone = 0; // clearings before this one have been done
	let touched = -alone;
	let stop = 0; // the line that the keyboard is at

	function build() {
		const part = document.createDocumentFragment();
		for (const line of lines.slice(items.length, items.length + batch)) {
			const item = itemOf(line);
			item.classList.toggle('future', items.length >= past);
			items.push(item);
			part.append(item);
		}
		list.append(part);
		if (items.length < lines.length) {
			setTimeout(build);
		}
	}

	function itemOf(line) {
		const item = make('li', { class: line.kind, data: { time: line.time.toFixed(1) } });
		const head = make('p', { class: 'head' });
		if (line.kind === 'chat') {
			head.append(make('bdi', { class: 'name', text: line.name }));
			if (line.moderator) {
				head.append(make('span', { class: 'badge', text: texts.say('moderator') }));
			}
		} else {
			head.append(icon(line.kind), make('span', { class: 'name', text: texts.say(line.kind) }));
		}
		head.append(make('button', {
			type: 'button', class: 'when', tabindex: items.length === stop ? '0' : '-1', text: texts.clock(line.time),
			'aria-label': texts.say('go_to', { time: texts.clock(line.time) }),
		}));
		item.append(head, ...bodyOf(line));
		return item;
	}

	function bodyOf(line) {
		if (line.kind === 'poll') {
			return pollOf(line.poll);
		}
		const parts = [];
		const answered = line.replyTo === null ? undefined : byLine.get(line.replyTo);
		if (answered) {
			const text = answered.parts.map((p) => p.text).join('');
			parts.push(make('p', { class: 'quote', dir: 'auto', text: `${answered.name}: ${text.length > quoted ? `${text.slice(0, quoted)}…` : text}` }));
		}
		const message = make('p', { class: line.emphasized ? 'text strong' : 'text', dir: 'auto' });
		for (const part of line.kind === 'video' ? [{ text: line.url, href: line.url }] : line.parts) {
			message.append(part.href ? make('a', { href: part.href, target: '_blank', rel: 'noopener noreferrer nofollow', text: part.text }) : part.text);
		}
		parts.push(message);
		if (line.edited) {
			parts.push(make('p', { class: 'note', text: texts.say('edited') }));
		}
		if (line.reactions.length > 0) {
			const badges = line.reactions.map((r) => make('span', { class: 'reaction', text: `${r.emoji} ${texts.number(r.count)}` }));
			parts.push(make('p', { class: 'reactions', 'aria-label': texts.say('reactions') , role: 'group' }, ...badges));
		}
		return parts;
	}

	function pollOf(poll) {
		const answers = poll.answers.map((a) => {
			const known = Object.hasOwn(common, poll.type) ? texts.say(`answer_${a.key.toLowerCase()}`) : a.key;
			const key = make('span', { class: 'answer' }, make('bdi', { text: known.startsWith('answer_') ? a.key : known }));
			if (a.correct) {
				key.append(icon('check'), make('span', { class: 'hidden', text: texts.say('correct') }));
			}
			const bar = make('span', { class: 'bar' });
			bar.style.setProperty('--share', String(a.share));
			return make('li', {}, key, make('span', { class: 'votes', text: texts.say('votes', { votes: texts.number(a.votes), share: texts.number(Math.round(a.share * 100)) }) }), bar);
		});
		return [
			poll.question ? make('p', { class: 'text', dir: 'auto', text: poll.question }) : '',
			make('ul', { class: 'answers' }, ...answers),
			make('p', { class: 'note', text: texts.say('responders', { n: texts.number(poll.responders), of: texts.number(poll.respondents) }) }),
		];
	}

	function update(time) {
		const now = indexAt(lines, time) + 1;
		for (let i = Math.min(now, past); i < Math.max(now, past) && i < items.length; i++) {
			items[i].classList.toggle('future', i >= now);
		}
		const moved = now !== past;
		past = now;
		const cleared = indexAt(clearings, time) + 1;
		for (let i = Math.min(cleared, gone); i < Math.max(cleared, gone); i++) {
			items[clearings[i].i]?.classList.toggle('cleared', i < cleared);
		}
		gone = Math.min(cleared, items.length === lines.length ? cleared : gone);
		if (moved) {
			show();
		}
	}

	// Scrolls so that the last line that was sent is the last one to be seen.
	function show() {
		const busy = performance.now() - touched < alone || list.matches(':focus-within');
		follow.hidden = !busy;
		if (busy || list.clientHeight === 0) {
			return;
		}
		const item = items[Math.min(past, items.length) - 1];
		list.scrollTop = item ? item.offsetTop + item.offsetHeight - list.clientHeight + 12 : 0;
	}

	function touch() {
		touched = performance.now();
	}

	function move(to) {
		const button = (i) => items[i]?.querySelector('.when');
		const next = button(to);
		if (next) {
			button(stop)?.setAttribute('tabindex', '-1');
			stop = to;
			next.setAttribute('tabindex', '0');
			next.focus();
			items[to].scrollIntoView({ block: 'nearest' });
		}
	}

	list.addEventListener('click', (event) => {
		const item = event.target.closest('li[data-time]');
		const selecting = String(getSelection() ?? '') !== '';
		if (item && !event.target.closest('a') && !(selecting && !event.target.closest('button'))) {
			touched = -alone;
			seek(lines[items.indexOf(item)].time);
		}
	});
	list.addEventListener('keydown', (event) => {
		const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -items.length, End: items.length };
		if (Object.hasOwn(steps, event.key) && !event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
			event.preventDefault();
			event.stopPropagation();
			move(Math.min(Math.max(stop + steps[event.key], 0), items.length - 1));
		}
	});
	for (const name of ['wheel', 'touchmove', 'pointerdown']) {
		list.addEventListener(name, touch, { passive: true });
	}
	follow.addEventListener('click', () => {
		touched = -alone;
		follow.hidden = true;
		show();
	});
	build();
	return { update, show };
}
