# frozen_string_literal: true

module ScaleliteSend
  # Sends many recordings while somebody looks on.
  class Existing
    # A longer wait than this, in seconds, is left to the timer.
    WORTH_WAITING = 90
    # How often to look for new recordings meanwhile, in seconds.
    PAUSE = 5

    def initialize(queue, sender, ids, patience)
      @queue = queue
      @sender = sender
      @ids = ids
      @patience = patience
      @counts = Hash.new(0)
      @said = {}
    end

    # Returns the exit status: 0 if all of them are on the load balancer.
    def run
      puts "#{@ids.size} recordings are here. Stop at any time: what is not sent yet is sent later, by itself."
      @queue.alone(wait: true) { send_all }
      left = waiting
      puts "#{@counts[:sent]} sent, #{@counts[:there]} were there already, #{@counts[:deleted]} were deleted there, #{left.size} wait."
      return 0 if left.empty?

      puts 'Those that wait are tried again by the timer; see: scalelite-send status'
      1
    rescue Balancer::Refused => e
      warn "Nothing can be sent: #{e.message}."
      1
    end

    private

    def send_all
      until (left = waiting).empty?
        due = left.select { |job| due?(job) }
        return if due.empty? && !worth_waiting?(left)

        sleep(PAUSE) if due.empty?
        return unless send_new && due.all? { |job| step(job) && send_new }
      end
    end

    # What BigBlueButton has just published goes first: no other sender can take
    # it meanwhile.
    def send_new
      @queue.jobs(except: @ids).select { |job| job['always'] && due?(job) }.all? { |job| step(job) }
    end

    def step(job)
      patiently { tell(job, @sender.process(job)) }
    end

    def due?(job)
      job['next'] <= Time.now.to_i
    end

    # What is sent and not imported needs nobody here to look on: that may take
    # as long as the load balancer has no room.
    def worth_waiting?(left)
      unsent = left.reject { |job| job['import'] || job['sent'] }
      puts 'What is left was sent, and waits for the load balancer alone.' if unsent.empty?
      unsent.any? { |job| job['next'] <= Time.now.to_i + WORTH_WAITING }
    end

    def waiting
      @ids.map { |id| @queue.read(id) }.compact
    end

    # False if the load balancer stays away for longer than anybody wants to wait.
    def patiently
      began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      pause = 1
      begin
        yield
        true
      rescue Balancer::Away => e
        if Process.clock_gettime(Process::CLOCK_MONOTONIC) - began > @patience
          warn "Giving up for now: #{e.message}."
          return false
        end
        warn "#{e.message}; trying again in #{pause} s"
        sleep(pause)
        pause = [pause * 2, 60].min
        retry
      end
    end

    def tell(job, outcome)
      return if outcome.what == :waits && @said[job['id']] == outcome.text

      @said[job['id']] = outcome.text
      puts format('[%<place>s] %<id>s  %<size>s  %<text>s', place: place(job, outcome), id: job['id'], size: megabytes(outcome.bytes), text: outcome.text)
      $stdout.flush
    end

    def place(job, outcome)
      return 'new' unless @ids.include?(job['id'])

      @counts[outcome.what] += 1 unless outcome.what == :waits
      "#{@counts.values.sum}/#{@ids.size}"
    end

    def megabytes(bytes)
      format('%.1f MB', bytes / 1e6)
    end
  end
end
