// The clock of the page. The time of a recording is that of its primary medium,
// the cameras with the sound or the sound alone; the shared screen is a second,
// silent one that is kept in step with it while it is shown. What the viewer
// wants, playing or not, is known here and nowhere else: a medium that has to
// wait for its data stops the other one, and both go on together.

// How often the page is told the time while it plays, in milliseconds.
const tickEvery = 100;

// The second medium plays from so long before it is shown, in seconds.
const lead = 4;

// Differences between the media in seconds: from the first on the silent one is
// played a little faster or slower, by up to that share; from the second on it
// jumps.
const nudgeFrom = 0.06;
const jumpFrom = 0.25;
const nudge = 0.15;

// A jump that did not help is repeated after so many milliseconds.
const jumpPause = 1500;

// For so long, in milliseconds, the first medium waits for the second one; then
// it goes on alone, for a screen that never comes must not end a lecture.
const patience = 20000;

// The first medium that has not moved for so many milliseconds has to wait.
const stuckAfter = 500;

/** The speeds that are offered. */
export const rates = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

/**
 * Events: "tick" when the time may have changed, at most ten a second while
 * playing; "state" when something else has; "failed" when the primary medium
 * cannot be played; "screenfailed" when only the second one cannot.
 */
export class Clock extends EventTarget {
	#primary;
	#screen;
	#shown;
	#fallback;
	#wanted = false;
	#heldSince = 0;
	#gaveUp = 0;
	#target = /** @type {number|null} */ (null);
	#rate = 1;
	#jumped = 0; // when the second medium last jumped
	#last = 0; // where the first medium was, and since when, as browsers do not
	#since = 0; // always say that it waits
	#latency = 0.03; // how long that took, in seconds
	#timer = 0;
	#ends = new AbortController();

	/**
	 * @param {object} o
	 * @param {HTMLMediaElement} o.primary
	 * @param {HTMLVideoElement|null} o.screen  the second medium
	 * @param {number} o.fallback  the length if the medium does not tell it
	 * @param {(from: number, to: number) => boolean} o.shown  whether the second
	 *   medium is to be seen at some time between these
	 */
	constructor({ primary, screen, fallback, shown }) {
		super();
		this.#primary = primary;
		this.#screen = screen;
		this.#shown = shown;
		this.#fallback = fallback;
		const listen = (medium, names, then) => {
			for (const name of names) {
				medium.addEventListener(name, then, { signal: this.#ends.signal });
			}
		};
		listen(primary, ['seeking', 'seeked', 'canplay', 'waiting', 'playing', 'loadeddata'], () => this.#changed());
		listen(primary, ['loadedmetadata', 'durationchange'], () => this.#known());
		listen(primary, ['volumechange', 'progress'], () => this.#tell('state'));
		listen(primary, ['play', 'pause', 'ended'], () => this.#outside());
		listen(primary, ['ratechange'], () => primary.playbackRate !== this.#rate && this.setRate(primary.playbackRate));
		whenDead(primary, this.#ends.signal, () => this.#tell('failed'));
		if (screen) {
			screen.muted = true;
			listen(screen, ['seeked'], () => this.#arrived());
			listen(screen, ['canplay', 'waiting', 'playing', 'loadedmetadata', 'ended'], () => this.#changed());
			whenDead(screen, this.#ends.signal, () => this.#dropScreen());
		}
		listen(document, ['visibilitychange'], () => {
			this.#jumped = 0;
			this.#changed();
		});
	}

	/** Seconds from the beginning. */
	get time() { return this.#target ?? this.#primary.currentTime; }

	/** Seconds; what the recording says until the medium knows. */
	get duration() {
		const own = this.#primary.duration;
		return Number.isFinite(own) && own > 0 ? own : Math.max(this.#fallback, this.time);
	}

	/** Whether there ever was something to play. */
	get begun() { return this.#primary.readyState > 0; }

	/** Whether the viewer wants it to play. */
	get playing() { return this.#wanted; }

	/** Whether it would play, if there were data. */
	get waiting() { return this.#wanted && (this.#heldSince > 0 || lacks(this.#primary)); }

	get rate() { return this.#rate; }
	get volume() { return this.#primary.volume; }
	get muted() { return this.#primary.muted; }

	/** What is loaded, as pairs of seconds. @returns {[number, number][]} */
	get loaded() {
		const ranges = this.#primary.buffered;
		return Array.from({ length: ranges.length }, (_, i) => [ranges.start(i), ranges.end(i)]);
	}

	async play() {
		if (this.#primary.ended) {
			this.seek(0);
		}
		this.#wanted = true;
		this.#tell('state');
		this.#run();
		try {
			await this.#primary.play();
		} catch (e) {
			// Our own pause while it began is no refusal.
			if (e?.name !== 'AbortError' && this.#wanted && this.#heldSince === 0) {
				this.pause();
			}
		}
	}

	pause() {
		this.#wanted = false;
		this.#heldSince = 0;
		this.#primary.pause();
		this.#screen?.pause();
		this.#run();
		this.#tell('state');
		this.#changed();
	}

	toggle() { return this.#wanted ? this.pause() : this.play(); }

	/** @param {number} time  seconds; kept within the recording */
	seek(time) {
		const to = Math.max(0, time);
		this.#gaveUp = 0;
		this.#jumped = 0;
		if (this.#primary.readyState === 0) {
			this.#target = to; // as soon as the medium knows how long it is
		} else {
			this.#target = null;
			this.#primary.currentTime = Math.min(to, this.duration);
		}
		this.#changed();
	}

	/** @param {number} rate */
	setRate(rate) {
		this.#rate = rate;
		for (const medium of [this.#primary, this.#screen]) {
			if (medium) {
				medium.defaultPlaybackRate = rate;
				medium.playbackRate = rate;
			}
		}
		this.#tell('state');
	}

	/** @param {number} volume  0 to 1 */
	setVolume(volume) {
		this.#primary.volume = Math.min(Math.max(0, volume), 1);
		this.#primary.muted = this.#primary.volume === 0;
	}

	setMuted(muted) { this.#primary.muted = muted; }

	destroy() {
		this.#ends.abort();
		clearInterval(this.#timer);
	}

	#tell(name) { this.dispatchEvent(new Event(name)); }

	#run() {
		clearInterval(this.#timer);
		this.#timer = this.#wanted ? setInterval(() => this.#changed(), tickEvery) : 0;
	}

	#known() {
		if (this.#target !== null && this.#primary.readyState > 0) {
			const to = this.#target;
			this.#target = null;
			this.#primary.currentTime = Math.min(to, this.duration);
		}
		this.#tell('state');
		this.#changed();
	}

	// Somebody else than us played or paused: the browser, a key on the keyboard
	// for media, or the end.
	#outside() {
		if (this.#primary.ended) {
			this.#wanted = false;
			this.#screen?.pause();
		} else if (this.#primary.paused && this.#wanted && this.#heldSince === 0) {
			this.#wanted = false;
		} else if (!this.#primary.paused && !this.#wanted) {
			this.#wanted = true;
		}
		this.#run();
		this.#tell('state');
		this.#changed();
	}

	#changed() {
		this.#keepInStep();
		this.#tell('tick');
	}

	#dropScreen() {
		if (this.#screen) {
			this.#screen = null;
			this.#release();
			this.#tell('screenfailed');
		}
	}

	#release() {
		if (this.#heldSince > 0) {
			this.#heldSince = 0;
			if (this.#wanted) {
				this.#primary.play().catch(() => {});
			}
		}
	}

	#keepInStep() {
		const screen = this.#screen;
		if (!screen) {
			return;
		}
		const now = this.time;
		if (now !== this.#last || !this.#wanted || this.#heldSince > 0) {
			this.#last = now;
			this.#since = performance.now();
		}
		const over = Number.isFinite(screen.duration) && now >= screen.duration - 0.05;
		if (over || !this.#shown(now, now + (this.#wanted ? lead * this.#rate : 0))) {
			screen.pause();
			this.#release();
			return;
		}
		if (screen.preload !== 'auto') {
			screen.preload = 'auto'; // from now on it is needed
		}
		if (screen.readyState > 0) {
			this.#align(screen, now);
		}
		if (this.#wanted) {
			this.#waitForEachOther(screen, now);
		} else {
			screen.pause();
		}
	}

	// The second medium is where it jumped to.
	#arrived() {
		if (this.#jumped > 0) {
			const took = (performance.now() - this.#jumped) / 1000;
			this.#latency = Math.min((this.#latency + took) / 2, 1);
		}
		this.#changed();
	}

	#align(screen, now) {
		const ahead = screen.currentTime - now;
		const off = Math.abs(ahead);
		const still = !this.#wanted && !this.#primary.seeking;
		const rested = still || performance.now() - this.#jumped > jumpPause;
		if (off > (still ? 0.02 : jumpFrom) && rested) {
			if (!screen.seeking) {
				this.#jump(screen, now);
			}
			return;
		}
		// Once begun, a nudge goes on until the media are as good as together.
		const nudged = screen.playbackRate !== this.#rate;
		const needed = this.#wanted && off > (nudged ? nudgeFrom / 4 : nudgeFrom);
		const wish = needed ? this.#rate * (1 - Math.min(Math.max(ahead / 2, -nudge), nudge)) : this.#rate;
		if (Math.abs(screen.playbackRate - wish) > 0.01 || !needed && nudged) {
			screen.playbackRate = wish;
		}
	}

	// A jump takes time, in which the other medium goes on: by so much it goes
	// farther.
	#jump(screen, now) {
		const moving = this.#wanted && !this.#primary.paused && !lacks(this.#primary);
		this.#jumped = performance.now();
		screen.currentTime = now + (moving ? this.#latency * this.#rate : 0);
		screen.playbackRate = this.#rate;
	}

	#waitForEachOther(screen, now) {
		const seen = this.#shown(now, now);
		if (seen && lacks(screen) && this.#gaveUp === 0) {
			if (this.#heldSince === 0 && !lacks(this.#primary)) {
				this.#heldSince = performance.now();
				this.#primary.pause();
				this.#tell('state');
			} else if (this.#heldSince > 0 && performance.now() - this.#heldSince > patience) {
				this.#gaveUp = now;
				this.#release();
			}
		} else if (this.#heldSince > 0) {
			this.#release();
			this.#tell('state');
		}
		if (!lacks(screen)) {
			this.#gaveUp = 0;
		}
		if ((lacks(this.#primary) || performance.now() - this.#since > stuckAfter) && this.#heldSince === 0) {
			screen.pause();
		} else if (screen.paused) {
			screen.play().catch(() => {});
		}
	}
}

// Whether a medium has no data to go on with.
function lacks(medium) {
	return medium.seeking || medium.readyState < HTMLMediaElement.HAVE_FUTURE_DATA && !medium.ended;
}

// Calls back when a medium cannot be played, or not any further. What a source
// cannot, the next one may; the event is that of the source and does not bubble.
function whenDead(medium, signal, then) {
	medium.addEventListener('error', () => setTimeout(() => {
		if (medium.error || medium.networkState === HTMLMediaElement.NETWORK_NO_SOURCE) {
			then();
		}
	}), { signal, capture: true });
}
