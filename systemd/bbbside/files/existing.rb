# frozen_string_literal: true

module ScaleliteSend
  # Sends many recordings while somebody looks on.
  class Existing
    # A longer wait than this, in seconds, is left to the timer.
    WORTH_WAITING = 90

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
        at = left.map { |job| job['next'] }.min
        return if at > Time.now.to_i + WORTH_WAITING

        sleep([at - Time.now.to_i, 0].max)
        left.select { |job| job['next'] <= Time.now.to_i }.each { |job| patiently { tell(job, @sender.process(job)) } || return }
      end
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
      @counts[outcome.what] += 1 unless outcome.what == :waits
      done = @counts.values.sum
      puts format('[%<done>d/%<all>d] %<id>s  %<size>s  %<text>s', done: done, all: @ids.size, id: job['id'], size: megabytes(outcome.bytes), text: outcome.text)
      $stdout.flush
    end

    def megabytes(bytes)
      format('%.1f MB', bytes / 1e6)
    end
  end
end
