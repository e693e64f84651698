// Fetching the files of a recording: what a file holds, or why it cannot be had.

/** The most characters a file may have. */
const mostText = 256 * 1024 * 1024;

/**
 * What became of a file: 'ok', 'absent' (the server has none), 'protected' (it
 * has, but not for this reader), or 'unreachable'.
 * @typedef {'ok'|'absent'|'protected'|'unreachable'|'too-large'} State
 */

/**
 * Reads a file as text.
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @param {() => void} [alive] called whenever a part of it came
 * @returns {Promise<{state: State, text: string}>}
 */
export async function readText(url, signal, alive) {
	try {
		const response = await fetch(url, { signal, credentials: 'same-origin' });
		const state = stateOf(response);
		return state === 'ok' ? await bounded(response, alive) : { state, text: '' };
	} catch {
		return { state: 'unreachable', text: '' };
	}
}

/**
 * @param {Response} response
 * @param {() => void} [alive]
 * @returns {Promise<{state: State, text: string}>}
 */
async function bounded(response, alive) {
	const reader = response.body?.getReader();
	const decoder = new TextDecoder();
	let text = '';
	for (;;) {
		const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
		alive?.();
		if (done) {
			return { state: 'ok', text: text + decoder.decode() };
		}
		text += decoder.decode(value, { stream: true });
		if (text.length > mostText) {
			await reader?.cancel();
			return { state: 'too-large', text: '' };
		}
	}
}

/**
 * Asks whether a file is there, without reading it. An empty one is not.
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @returns {Promise<State>}
 */
export async function probe(url, signal) {
	try {
		const response = await fetch(url, { method: 'HEAD', signal, credentials: 'same-origin' });
		const state = stateOf(response);
		return state === 'ok' && response.headers.get('Content-Length') === '0' ? 'absent' : state;
	} catch {
		return 'unreachable';
	}
}

/**
 * @param {Response} response
 * @returns {State}
 */
function stateOf(response) {
	if (response.headers.get('X-Recording-State') === 'protected') {
		return 'protected';
	}
	if (response.ok) {
		return 'ok';
	}
	return response.status >= 500 || response.status === 429 ? 'unreachable' : 'absent';
}
