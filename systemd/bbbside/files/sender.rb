# frozen_string_literal: true

require 'open3'

module ScaleliteSend
  # Takes what is in the queue to the load balancer. A job is done when the load
  # balancer has said that it has every file, not before.
  class Sender
    # How long to stay with a recording until it is imported, and the longest
    # pause between two looks, in seconds. After that the others go on.
    STAY = 60
    PAUSE = 3
    # The next look at one whose import takes longer.
    LOOK_AGAIN = 60
    # An import that failed there waits for the administrator of the load
    # balancer, who can have it tried again.
    FAILED_THERE = 6 * 3600
    # A file that must be renamed waits for the administrator of this server.
    MISNAMED = 6 * 3600
    # A tarball that was put into the spool, and of which the load balancer tells
    # nothing, is sent again after so long, and each time twice as long as before,
    # up to the longest wait.
    LOST = 24 * 3600
    LONGEST_LOST = 30 * 24 * 3600
    BATCH = 20

    # What became of a job: :sent, :there (it had it already), :gone, :deleted,
    # or :waits.
    Outcome = Struct.new(:what, :bytes, :text)

    def initialize(settings, queue, confirmed, balancer, log)
      @settings = settings
      @queue = queue
      @confirmed = confirmed
      @balancer = balancer
      @log = log
    end

    # Sends what is due until nothing is. Balancer::Away, Balancer::Refused and
    # Queue::NotKept end it at once: they hold for everything.
    def drain
      loop do
        due = @queue.jobs.select { |job| job['next'] <= Time.now.to_i }.first(BATCH)
        return if due.empty?

        due.each { |job| process(job) }
      end
    end

    # One step for one job. The outcome goes to the log; that it still waits for
    # the same reason does not.
    def process(job)
      before = job['error']
      outcome = take(job)
      @log.info('sending goes on') if @queue.trouble_over!
      line = "#{job['id']}: #{outcome.text}"
      if outcome.what != :waits
        @log.info(outcome.what == :sent ? "#{line}, #{outcome.bytes} bytes" : line)
      elsif outcome.text != before
        @log.warn(line)
      end
      outcome
    end

    # Whether the load balancer has all files of what was sent. It may have more:
    # other formats, or captions that came later.
    def covers?(there, formats)
      there && there['here'] == true && differences(there, formats).empty?
    end

    # What it lacks, in words.
    def differences(there, formats)
      has = ((there || {})['formats'] || []).map { |f| [f['type'], f] }.to_h
      formats.map do |name, (files, bytes)|
        f = has[name]
        next "#{name} is missing" unless f
        next "#{name} has #{f['files']} of #{files} files, #{f['bytes']} of #{bytes} bytes" if f['missing'] || f['files'] < files || f['bytes'] < bytes
      end.compact.join('; ')
    end

    # The formats of which another version is there, by the stamps of this one. A
    # load balancer that does not tell is believed.
    def versions_differing(there, stamps)
      has = there['formats'].map { |f| [f['type'], f['metadata']] }.to_h
      stamps.reject { |name, sum| has[name].nil? || has[name] == sum }.keys
    end

    private

    def take(job)
      recording = Recording.find(job['id'], @settings.trees)
      return finish(job, :gone, 'is not on this server any more') unless recording

      outcome = job['import'] || job['sent'] ? nil : send_one(job, recording)
      outcome || await(job)
    rescue Balancer::Deleted
      finish(job, :deleted, 'was deleted on the load balancer')
    rescue Balancer::NotTaken => e
      wait(job, e.message, e.again)
    rescue Tarball::Changed => e
      wait(job, e.message, Queue::FIRST_WAIT)
    rescue Recording::Misnamed => e
      wait(job, e.message, MISNAMED)
    rescue Balancer::Away, Balancer::Refused, Queue::NotKept
      raise
    rescue StandardError => e # one that nobody foresaw must not keep the others back
      wait(job, ScaleliteSend.cause(e))
    end

    def send_one(job, recording)
      job['formats'] = recording.sums
      job['bytes'] = recording.bytes
      job['stamps'] = recording.stamps
      job['touched'] = recording.touched.to_i
      there = @balancer.recording(job['id'])
      return deleted(job) if there && there['state'] == 'deleted'
      return finish(job, :there, 'is on the load balancer already') if !job['always'] && same?(there, job['formats'], job['stamps'])

      recording.check_names
      warn_of_skipped(recording)
      @queue.keep(job) # before it is sent: a disk that is full is found out by it
      transfer(job, recording, there)
      @queue.keep(job)
      nil
    end

    def transfer(job, recording, there)
      tarball = Tarball.new(recording)
      job['before'] = there && there['imported']
      job['former'] = ended_import(there)
      if @settings.transfer == 'upload'
        job['import'] = @balancer.upload(job['id'], tarball)
      else
        Spool.new(@settings.target).put(job['id'], tarball)
        job['sent'] = Time.now.to_i
      end
    end

    # Waits for the import of what was sent.
    def await(job)
      over = now + STAY
      pause = 0.1
      loop do
        outcome = look(job)
        return outcome if outcome
        return await_later(job) if now > over

        sleep(pause)
        pause = [pause * 2, PAUSE].min
      end
    end

    # The others go on. What nobody tells of is looked at less and less often.
    def await_later(job)
      return wait(job, 'waits to be imported', LOOK_AGAIN) unless job['lost']

      since = Time.now.to_i - job['sent']
      wait(job, "waits to be imported, sent #{job['lost'] + 1} times: #{job['why']}", (since / 10).clamp(LOOK_AGAIN, FAILED_THERE))
    end

    def look(job)
      job['sent'] ? look_at_spool(job) : look_at_import(job)
    end

    def look_at_import(job)
      judge(@balancer.import(job['id'], job['import']), job)
    end

    # What an import means for its job; nil: it is under way.
    def judge(import, job)
      job['done'], job['size'] = (import || {}).values_at('done', 'size')
      case import && import['state']
      when 'waiting', 'settling', 'importing'
        import['error'].to_s.empty? ? nil : wait(job, "waits at the load balancer: #{import['error']}", LOOK_AGAIN)
      when 'failed'
        there = @balancer.recording(job['id'])
        return confirmed(job) if came?(there, job)
        return deleted(job) if there && there['state'] == 'deleted'

        wait(job, "its import failed: #{import['error']}", FAILED_THERE)
      else # imported, replaced by a later one, taken away, or so long ago that nobody knows
        there = @balancer.recording(job['id'])
        return confirmed(job) if came?(there, job)

        lacks = differences(there, job['formats'])
        again(job, lacks.empty? ? 'it was sent, but what is there is another version' : "#{import ? 'it was imported, but' : 'its import is not known any more, and'} not all of it is there: #{lacks}")
      end
    end

    # What is put into the spool gets no ID by which to ask for it. The newest
    # import of the recording is that of what was sent, unless it was over before.
    def look_at_spool(job)
      there = @balancer.recording(job['id'])
      return confirmed(job) if came?(there, job)

      import = there && there['import']
      return judge(import, job) if import && import['import'] != job['former']

      lost(job) if Time.now.to_i - job['sent'] > patience(job)
    end

    # The ID of the newest import that the load balancer tells of, if it is over.
    def ended_import(there)
      import = there && there['import']
      import['import'] if import && import['ended']
    end

    # How long a tarball may lie in the spool before it is taken for lost.
    def patience(job)
      [LOST * 2**[job['lost'].to_i, 5].min, LONGEST_LOST].min
    end

    def lost(job)
      days = patience(job) / LOST
      job['lost'] = job['lost'].to_i + 1
      job['why'] = "it was not imported within #{days == 1 ? 'a day' : "#{days} days"}; look on the load balancer with 'scalelite recordings spool'"
      again(job, job['why'])
    end

    # Whether what was sent is there, and not only an older version that is as
    # large, be it of one format.
    def came?(there, job)
      same?(there, job['formats'], job['stamps'] || {}) && there['imported'] != job['before']
    end

    # Whether these formats are there, all of them, and in these versions.
    def same?(there, formats, stamps)
      covers?(there, formats) && versions_differing(there, stamps).empty?
    end

    def again(job, error)
      %w[import sent before former stamps done size].each { |key| job.delete(key) }
      wait(job, error)
    end

    def confirmed(job)
      finish(job, :sent, 'was sent and imported')
    end

    def deleted(job)
      finish(job, :deleted, 'was deleted on the load balancer')
    end

    def finish(job, what, text)
      @confirmed.note(job) unless what == :gone
      @queue.done(job)
      Outcome.new(what, job['bytes'] || 0, text)
    end

    def wait(job, error, seconds = nil)
      error = ScaleliteSend.text(error)
      @queue.postpone(job, error, seconds)
      Outcome.new(:waits, job['bytes'] || 0, error)
    end

    def warn_of_skipped(recording)
      recording.formats.each do |format|
        format.skipped.each { |path| @log.warn("#{recording.id}: #{format.name}/#{path} is neither a file nor a directory and is left out") }
      end
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end

  # The spool of the load balancer, reached by rsync over SSH.
  class Spool
    TEMPORARY = "#{Settings::STATE}/tmp"

    def initialize(target)
      raise Error, "#{Settings::FILE}: ssh_target is missing; run the setup script again" unless target

      @target = target
    end

    # rsync writes under a name with a dot in front and renames when all is
    # there. It removes its source itself, which matters if it is killed.
    def put(id, tarball)
      file = "#{TEMPORARY}/#{id}.tar"
      Dir.glob("#{TEMPORARY}/*.tar").each { |old| File.unlink(old) }
      File.open(file, File::WRONLY | File::CREAT | File::TRUNC | File::BINARY, 0o640) { |f| IO.copy_stream(tarball, f) }
      run('--chmod=F664', '--remove-source-files', file)
    ensure
      tarball.close
      File.unlink(file) if file && File.exist?(file)
    end

    # Whether the way in is open, without leaving anything there.
    def try
      file = "#{TEMPORARY}/connection-test.tar"
      File.write(file, '')
      run('--dry-run', file)
    ensure
      File.unlink(file) if file && File.exist?(file)
    end

    private

    def run(*args)
      output, status = Open3.capture2e('rsync', '-t', '--timeout=300', '-e', 'ssh -o BatchMode=yes', *args, @target)
      return if status.success?

      text = ScaleliteSend.text(output).lines.map(&:strip).reject(&:empty?).first(3).join('; ')
      text = "rsync ended with #{status.exitstatus || status.termsig}" if text.empty?
      # 255 is ssh's own: no connection, or not let in. rsync may be quicker to see
      # that nothing comes from there, and end with a status of its own.
      raise Balancer::Away, "rsync to #{@target}: #{text}" if status.exitstatus == 255 || output.include?('(0 bytes received so far)')

      raise Balancer::NotTaken, "rsync to #{@target}: #{text}"
    end
  end
end
