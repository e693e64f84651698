# frozen_string_literal: true

require 'optparse'

module ScaleliteSend
  # What scalelite-send does when it is called.
  class Commands
    # After a refusal somebody has to change something; asking every minute would
    # only look like an attack.
    REFUSED_WAIT = 600
    AWAY_WAIT = 60
    TEST_ID = 'scalelite-connection-test'

    def initialize(settings)
      @settings = settings
      @queue = Queue.new(Settings::STATE)
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
      trouble = @queue.trouble
      return 0 if trouble && trouble['next'] > Time.now.to_i

      log = Log.new(@settings.log_file)
      @queue.alone { guarded(log) { sender(log).drain } }
      0
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
      trouble = @queue.trouble
      if json
        puts JSON.pretty_generate('balancer' => @settings.balancer, 'transfer' => @settings.transfer, 'trouble' => trouble && trouble['text'], 'waiting' => jobs)
        return 0
      end
      puts "Sends to #{@settings.balancer} by #{@settings.transfer}."
      puts "Nothing can be sent: #{trouble['text']}." if trouble
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

    def balancer
      raise @secret_error if @secret_error

      Balancer.new(@settings, @secret)
    end

    def sender(log)
      Sender.new(@settings, @queue, balancer, log)
    end

    def guarded(log)
      yield
    rescue Balancer::Away => e
      log.warn("nothing can be sent: #{e.message}") if @queue.trouble!(e.message, AWAY_WAIT / 2)
    rescue Balancer::Refused => e
      log.warn("nothing can be sent: #{e.message}") if @queue.trouble!(e.message, REFUSED_WAIT)
    end

    def count(number)
      number == 1 ? '1 recording' : "#{number} recordings"
    end

    def stand(job)
      return 'is next' unless job['error']

      at = Time.at(job['next']).strftime('%F %T')
      "#{job['error']}; tried #{job['tries']} times, next #{at}"
    end
  end

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

  # Deletes the copies of this server, of those recordings that the load
  # balancer has whole: it is asked about each, whatever was sent.
  class Pruner
    # Under this name a directory waits to be deleted. It is no recording any
    # more, so that half of one is never sent.
    MARK = '.pruned-'

    def initialize(settings, queue, balancer, sender, log)
      @settings = settings
      @queue = queue
      @balancer = balancer
      @sender = sender
      @log = log
    end

    def run(keep_days, dry_run)
      clean_up unless dry_run
      deleted = kept = bytes = 0
      Recording.all(@settings.trees).each do |id|
        recording = Recording.find(id, @settings.trees)
        reason = recording && reason_to_keep(recording, keep_days)
        if reason
          kept += 1
          puts "#{id}  kept: #{reason}" unless reason == :young
        elsif recording
          deleted += 1
          bytes += recording.bytes
          delete(recording) unless dry_run
          puts "#{id}  #{dry_run ? 'would be deleted' : 'deleted'}, #{recording.bytes} bytes"
        end
      end
      puts "#{deleted} #{dry_run ? 'would be deleted' : 'deleted'}, #{format('%.1f MB', bytes / 1e6)}; #{kept} kept."
      0
    end

    private

    def reason_to_keep(recording, keep_days)
      return :young if recording.touched > Time.now - keep_days * 86_400
      return 'waits to be sent' if @queue.read(recording.id)
      return 'holds something that is no file' unless recording.formats.all? { |f| f.skipped.empty? }

      there = @balancer.recording(recording.id)
      return 'the load balancer does not have it' unless there
      return 'it was deleted on the load balancer' if there['state'] == 'deleted'
      return "the load balancer lacks files: #{@sender.differences(there, recording.sums)}" unless @sender.covers?(there, recording.sums)
    end

    def delete(recording)
      recording.formats.each do |format|
        marked = "#{File.dirname(format.dir)}/#{MARK}#{recording.id}"
        File.rename(format.dir, marked)
        FileUtils.rm_r(marked, secure: true)
      end
      @log.info("#{recording.id}: deleted here, it is on the load balancer")
    end

    # Goes on where an earlier run was stopped.
    def clean_up
      @settings.trees.each do |tree|
        Dir.glob("#{tree}/*/#{MARK}*").each { |dir| FileUtils.rm_r(dir, secure: true) }
      end
    end
  end
end
