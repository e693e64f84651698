# frozen_string_literal: true

require 'optparse'

module ScaleliteSend
  # What scalelite-send does when it is called.
  class Commands
    # After a refusal somebody has to change something; asking every minute would
    # only look like an attack.
    REFUSED_WAIT = 600
    AWAY_WAIT = 60
    # What no hook noted is looked for once a day, among what changed in so many
    # seconds. The last hour is left to the hook, which may be at work.
    LATELY = 7 * 24 * 3600
    LEFT_TO_THE_HOOK = 3600
    TEST_ID = 'scalelite-connection-test'

    def initialize(settings)
      @settings = settings
      @queue = Queue.new(Settings::STATE)
      @confirmed = Confirmed.new(Settings::STATE)
      # A server whose secret cannot be read can still be told what waits.
      @secret = begin
        settings.secret
      rescue Error => e
        @secret_error = e
        nil
      end
    end

    # Empties the queue: what the timer and the hook do.
    def run
      log = Log.new(@settings.log_file)
      sender = sender(log) # who may not read the secret is in nobody's way
      code = 0
      @queue.alone do
        catch_up(log)
        trouble = @queue.trouble
        code = guarded(log) { sender.drain } unless trouble && trouble['next'] > Time.now.to_i
      end
      code
    end

    # Sends all recordings that are here and not on the load balancer.
    def existing(background: false, patience: 600)
      ids = Recording.all(@settings.trees)
      ids.each { |id| @queue.add(id, always: false) }
      if background
        puts "#{count(ids.size)} noted. They are sent in the background; look with: scalelite-send status"
        return 0
      end
      Existing.new(@queue, sender(Log.new(@settings.log_file)), ids, patience).run
    end

    # Deletes what the load balancer has confirmed.
    def prune(keep_days: 1, dry_run: false)
      log = Log.new(@settings.log_file)
      code = 0
      @queue.alone(wait: true) do
        code = Pruner.new(@settings, @queue, balancer, sender(log), log).run(keep_days, dry_run)
      end
      code
    rescue Balancer::Away, Balancer::Refused => e
      warn "Nothing more is deleted: #{e.message}."
      1
    end

    # Tells what waits, and why.
    def status(json: false)
      jobs = @queue.jobs
      trouble = trouble_now
      if json
        puts JSON.pretty_generate('balancer' => @settings.balancer, 'transfer' => @settings.transfer, 'trouble' => trouble, 'waiting' => jobs)
        return 0
      end
      puts "Sends to #{@settings.balancer} by #{@settings.transfer}."
      puts "Nothing can be sent: #{trouble}." if trouble
      puts jobs.empty? ? 'Nothing waits.' : "#{count(jobs.size)} waiting:"
      jobs.each { |job| puts "  #{job['id']}  #{stand(job)}" }
      0
    end

    # Has recordings tried again now, from the beginning.
    def retry(ids)
      ids = @queue.jobs.map { |job| job['id'] } if ids.empty?
      here = ids.select { |id| Recording.find(id, @settings.trees) }
      here.each { |id| @queue.add(id, always: true) }
      @queue.trouble_over!
      puts "#{count(here.size)} will be sent anew."
      (ids - here).each { |id| warn "There is no recording #{id} here." }
      ids == here ? 0 : 1
    end

    # Tells whether recordings can get to the load balancer.
    def test
      there = balancer
      answer = there.recording(TEST_ID)
      raise Balancer::Refused, 'the load balancer claims to have a recording that cannot be' if answer

      puts "#{@settings.balancer} answers, and knows this server as #{@settings.server}."
      warn "This clock is #{there.skew.abs} s #{there.skew.positive? ? 'ahead of' : 'behind'} the load balancer's; see: timedatectl" if there.skew && there.skew.abs > Balancer::SKEW
      if @settings.transfer == 'ssh'
        Spool.new(@settings.target).try
        puts "#{@settings.target} takes files."
      end
      @queue.trouble_over!
      0
    rescue Balancer::Away, Balancer::Refused, Balancer::NotTaken => e
      warn "It does not work yet: #{e.message}."
      1
    end

    private

    # Notes what no hook could. What the load balancer has is not sent again, and
    # what it is known to have had is not even asked for.
    def catch_up(log)
      @queue.adopt.each { |id| log.warn("#{id}: was noted by halves, is to be sent") }
      @queue.daily do |since|
        @confirmed.forget
        now = Time.now
        lately = Recording.changed(@settings.trees, [since, now - LATELY].max, now - LEFT_TO_THE_HOOK)
        found = lately.reject { |id| @confirmed.all_of?(id, @settings.trees) }.select { |id| @queue.add(id, always: false) }
        log.info("#{count(found.size)} of the last days looked for on the load balancer") unless found.empty?
      end
    rescue StandardError => e # what waits is sent whatever this comes to
      log.warn("what no hook noted cannot be looked for: #{ScaleliteSend.cause(e)}")
    end

    def balancer
      raise @secret_error if @secret_error

      Balancer.new(@settings, @secret)
    end

    def sender(log)
      Sender.new(@settings, @queue, @confirmed, balancer, log)
    end

    def guarded(log)
      yield
      0
    rescue Balancer::Away, Queue::NotKept => e
      rest(log, e, AWAY_WAIT / 2)
    rescue Balancer::Refused => e
      rest(log, e, REFUSED_WAIT)
    end

    # What keeps everything from being sent, in words. That nothing can be noted
    # only the user of the sender can find out.
    def trouble_now
      noted = @queue.trouble
      return noted['text'] if noted

      @queue.try if File.owned?("#{Settings::STATE}/queue")
      nil
    rescue Queue::NotKept, SystemCallError => e
      e.message
    end

    # Nothing is sent for so many seconds. Returns the exit status: only what is
    # wrong with this machine is a failure of the timer's unit.
    def rest(log, error, seconds)
      log.warn("nothing can be sent: #{error.message}") if @queue.trouble!(error.message, seconds)
      error.is_a?(Queue::NotKept) ? 1 : 0
    end

    def count(number)
      number == 1 ? '1 recording' : "#{number} recordings"
    end

    def stand(job)
      return 'is next' unless job['error']

      at = Time.at(job['next']).strftime('%F %T')
      "#{job['error']}#{progress(job)}; tried #{job['tries']} times, next #{at}"
    end

    def progress(job)
      return '' unless job['done'].to_i.positive?

      format(', %<done>.1f of %<size>.1f MB are unpacked', done: job['done'] / 1e6, size: job['size'].to_i / 1e6)
    end
  end
end
