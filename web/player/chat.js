// The chat beside the picture: messages, polls and external videos as one list,
// in which the lines that are yet to come are dimmed, those that the moderators
// cleared are gone, and a click on a line goes to its time. Of a long chat the
// page holds a piece, which moves with the time and with whoever scrolls;
// playing only changes the lines that the time passes.

import { byId, held, make } from './dom.js';
import { icon } from './icons.js';
import { indexAt } from './lookup.js';

// The most lines that the page holds, and by how many that piece moves.
const most = 60;
const step = 20;

// Whoever scrolls so close to the end of the piece, in pixels, gets more.
const margin = 400;

// While playing, the list scrolls once in so many milliseconds.
const calm = 1000;

// Who scrolled the list is left alone for so long, in milliseconds.
const alone = 8000;

// Answers of these polls are the same everywhere, and are translated.
const common = /^(YNA?|TF)$/;

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
	const items = []; // those that were made, by the number of the line
	let from = 0; // the piece that the page holds
	let to = 0;
	let past = 0; // lines before this one have been sent
	let gone = 0; // clearings before this one have been done
	let touched = -alone;
	let shown = -calm;
	let timer = 0;
	let stop = 0; // the line that the keyboard is at

	function item(i) {
		if (!items[i]) {
			const made = itemOf(lines[i], i);
			made.classList.toggle('future', i >= past);
			if (i === past - 1) {
				made.setAttribute('aria-current', 'true');
			}
			made.classList.toggle('cleared', clearings.slice(0, gone).some((c) => c.i === i));
			items[i] = made;
		}
		return items[i];
	}

	// Has the page hold the lines from a on, as many as it may.
	function hold(a) {
		const first = Math.min(Math.max(0, a), Math.max(0, lines.length - most));
		const last = Math.min(first + most, lines.length);
		if (first === from && last === to) {
			return;
		}
		const wanted = Array.from({ length: last - first }, (_, i) => item(first + i));
		if (first >= to || last <= from) {
			list.replaceChildren(...wanted);
		} else {
			const before = wanted.slice(0, Math.max(0, from - first));
			const after = wanted.slice(Math.max(0, to - first));
			for (let i = from; i < to; i++) {
				if (i < first || i >= last) {
					items[i].remove();
				}
			}
			list.prepend(...before);
			list.append(...after);
		}
		from = first;
		to = last;
	}

	function itemOf(line, i) {
		const long = lines.length > most;
		const item = make('li', {
			class: line.kind, data: { time: line.time.toFixed(1), line: i },
			'aria-setsize': long && lines.length, 'aria-posinset': long && i + 1,
		});
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
			type: 'button', class: 'when', tabindex: i === stop ? '0' : '-1', text: texts.clock(line.time),
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
			const known = common.test(poll.type) ? texts.say(`answer_${a.key.toLowerCase()}`) : a.key;
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
		for (let i = Math.min(now, past); i < Math.max(now, past); i++) {
			items[i]?.classList.toggle('future', i >= now);
		}
		const moved = now !== past;
		if (moved) {
			items[past - 1]?.removeAttribute('aria-current');
			items[now - 1]?.setAttribute('aria-current', 'true');
		}
		past = now;
		const cleared = indexAt(clearings, time) + 1;
		for (let i = Math.min(cleared, gone); i < Math.max(cleared, gone); i++) {
			items[clearings[i].i]?.classList.toggle('cleared', i < cleared);
		}
		gone = cleared;
		if (moved) {
			soon();
		}
	}

	// However fast people write, the list moves now and then.
	function soon() {
		const wait = shown + calm - performance.now();
		if (wait <= 0) {
			show();
		} else if (!timer) {
			timer = setTimeout(show, wait);
		}
	}

	// Scrolls so that the last line that was sent is the last one to be seen.
	function show() {
		clearTimeout(timer);
		timer = 0;
		shown = performance.now();
		const busy = performance.now() - touched < alone || list.querySelector(':focus');
		follow.hidden = !busy;
		if (busy || list.clientHeight === 0) {
			return;
		}
		if (past < from + step / 2 || past > to - step / 2) {
			hold(past - most / 2);
		}
		const last = items[Math.min(past, lines.length) - 1];
		const top = last ? last.offsetTop + last.offsetHeight - list.clientHeight + 12 : 0;
		if (Math.abs(list.scrollTop - Math.max(0, top)) > 1) {
			list.scrollTop = top;
		}
	}

	// Whoever scrolls to the end of what the page holds gets what follows, and the
	// lines stay where they are.
	function more() {
		const near = list.scrollTop < margin && from > 0 ? -step : list.scrollHeight - list.scrollTop - list.clientHeight < margin && to < lines.length ? step : 0;
		if (near === 0 || performance.now() - touched > alone) {
			return;
		}
		const anchor = item(near < 0 ? from : to - 1);
		const before = anchor.offsetTop - list.scrollTop;
		hold(from + near);
		list.scrollTop = anchor.offsetTop - before;
	}

	function touch() {
		touched = performance.now();
	}

	// Has Tab come to a line, and returns its button.
	function rove(target) {
		const button = (i) => items[i]?.querySelector('.when');
		button(stop)?.setAttribute('tabindex', '-1');
		stop = target;
		if (target < from || target >= to) {
			hold(target - most / 2);
		}
		button(target)?.setAttribute('tabindex', '0');
		return button(target);
	}

	function move(target) {
		rove(target)?.focus();
		items[target]?.scrollIntoView({ block: 'nearest' });
	}

	list.addEventListener('click', (event) => {
		const clicked = event.target.closest('li[data-time]');
		const selecting = String(getSelection() ?? '') !== '';
		if (clicked && !event.target.closest('a') && !(selecting && !event.target.closest('button'))) {
			touched = -alone;
			seek(lines[Number(clicked.dataset.line)].time);
		}
	});
	list.addEventListener('keydown', (event) => {
		const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -lines.length, End: lines.length };
		if (Object.hasOwn(steps, event.key) && !held(event)) {
			event.preventDefault();
			event.stopPropagation();
			move(Math.min(Math.max(stop + steps[event.key], 0), lines.length - 1));
		}
	});
	for (const name of ['wheel', 'touchmove', 'pointerdown', 'keydown']) {
		list.addEventListener(name, touch, { passive: true });
	}
	follow.addEventListener('click', () => {
		touched = -alone;
		// A line with the focus would hold the list.
		rove(Math.max(past - 1, 0));
		list.focus({ preventScroll: true });
		follow.hidden = true;
		show();
	});
	list.addEventListener('scroll', more, { passive: true });
	hold(0);
	return { update, show };
}
