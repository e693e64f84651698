// Gathering tests, and what they say with.

export const tests = [];

/** Adds a test; work may be asynchronous and throws if something is wrong. */
export function test(name, work) {
	tests.push({ name, work });
}

/** Throws unless both look alike as JSON, in which Infinity and the like have names. */
export function equal(got, want, about = '') {
	const [g, w] = [show(got), show(want)];
	if (g !== w) {
		throw new Error(`${about}: got ${g}, want ${w}`);
	}
}

/** Throws unless so. */
export function ok(so, about) {
	if (!so) {
		throw new Error(about);
	}
}

function show(value) {
	return JSON.stringify(value, (key, v) => (typeof v === 'number' && !Number.isFinite(v) ? String(v) : v === undefined ? 'undefined' : v));
}

/**
 * Runs work with files in the place of what the server has: texts, numbers of
 * states, or what is called with the signal.
 */
export async function withFiles(files, work) {
	const real = globalThis.fetch;
	const asked = [];
	globalThis.fetch = async (url, options = {}) => {
		options.signal?.throwIfAborted();
		asked.push(String(url));
		const name = String(url).replace(/^\/presentation\/[^/]+\//, '');
		const file = Object.hasOwn(files, name) ? files[name] : 404;
		if (file instanceof Error) {
			throw file;
		}
		if (file instanceof Response) {
			return file.clone();
		}
		if (typeof file === 'function') {
			return file(options.signal);
		}
		return typeof file === 'number' ? new Response('', { status: file }) : new Response(file);
	};
	try {
		return await work(asked);
	} finally {
		globalThis.fetch = real;
	}
}
