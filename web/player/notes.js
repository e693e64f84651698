// The shared notes, and the tabs between them and the chat. Notes are HTML that
// anybody in the meeting may have written: the page shows elements of its own
// with the text of those, and nothing else of them.

import { byId, make } from './dom.js';
import { notesFragment } from './markup.js';

/**
 * @param {object} o
 * @param {string|null} o.notes
 * @param {boolean} o.chat  whether there is a chat
 * @param {import('./i18n.js').Texts} o.texts
 * @param {() => void} o.onCut  there is more than is shown
 * @param {() => void} o.onChat  the chat comes into sight
 */
export function createNotes({ notes, chat, texts, onCut, onChat }) {
	const content = notes === null ? null : notesFragment(notes, onCut);
	const written = content !== null && (content.textContent ?? '').trim() !== '';
	if (content && written) {
		byId('notes').append(content);
	}
	byId('chat-panel').hidden = !chat;
	byId('notes-panel').hidden = chat || !written;
	if (chat && written) {
		tabs(texts, onChat);
	}
	return { any: chat || written };
}

function tabs(texts, onChat) {
	const bar = byId('tabs');
	const buttons = ['chat', 'notes'].map((name) => {
		const panel = byId(`${name}-panel`);
		const tab = make('button', { type: 'button', role: 'tab', id: `${name}-tab`, 'aria-controls': panel.id, text: texts.say(name) });
		panel.setAttribute('role', 'tabpanel');
		panel.setAttribute('aria-labelledby', tab.id);
		byId(`${name}-title`).className = 'hidden'; // the tab says it
		byId(name).setAttribute('aria-labelledby', tab.id);
		tab.addEventListener('click', () => select(name));
		return tab;
	});
	bar.append(...buttons);
	bar.hidden = false;
	bar.addEventListener('keydown', (event) => {
		if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
			event.preventDefault();
			event.stopPropagation();
			const other = buttons.find((b) => b !== document.activeElement);
			other?.focus();
			other?.click();
		}
	});

	function select(name) {
		for (const which of ['chat', 'notes']) {
			const on = which === name;
			byId(`${which}-tab`).setAttribute('aria-selected', String(on));
			byId(`${which}-tab`).setAttribute('tabindex', on ? '0' : '-1');
			byId(`${which}-panel`).hidden = !on;
		}
		if (name === 'chat') {
			onChat();
		}
	}
	select('chat');
}
