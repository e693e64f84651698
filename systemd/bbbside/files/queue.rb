# frozen_string_literal: true

require 'json'
require 'securerandom'

module ScaleliteSend
  # What is still to be sent: a small file for each recording, so that nothing
  # is forgotten by a crash or while the load balancer is away.
  class Queue
    # The waits after a failure, in seconds: from one minute to an hour.
    FIRST_WAIT = 60
    LONGEST_WAIT = 3600
    # The name of a job that is being written. It ended in a process ID once.
    UNFINISHED = /\A\.([A-Za-z0-9_-]{1,200})\.(?:new|\d+)\z/.freeze
    # A file that tells whether there is room, by a name that is no job's, and its
    # size: a disk gives out room by so many bytes.
    TRIAL = '.trial'
    TRIAL_SIZE = 4096
    DAY = 24 * 3600

    # The disk is full, or takes nothing for another reason. What cannot be noted
    # must not be sent: it would be sent again and again.
    class NotKept < Error; end

    # Writes a small file: it is whole or not there, and outlasts a power failure.
    # One that is cut off is left beside it.
    def self.write(dir, name, text)
      File.open(unfinished_file(dir, name), File::WRONLY | File::CREAT | File::TRUNC, 0o644) do |f|
        f.write(text)
        f.fsync
      end
      File.rename(unfinished_file(dir, name), "#{dir}/#{name}")
      sync_names(dir)
    rescue SystemCallError => e
      raise NotKept, "nothing can be noted in #{dir}: #{e.class.new.message}"
    end

    def self.unfinished_file(dir, name)
      "#{dir}/.#{name}.new"
    end

    # A name outlasts a power failure once its directory is on the disk.
    def self.sync_names(dir)
      File.open(dir, &:fsync)
    rescue Errno::EINVAL # a file system that cannot
      nil
    end
    private_class_method :sync_names

    def initialize(state)
      @state = state
      @dir = "#{state}/queue"
    end

    # Notes a recording. With always it is sent although the load balancer has
    # one like it: BigBlueButton has just made it. One that waits already
    # begins anew.
    def add(id, always:)
      locked do
        return false if !always && File.exist?(path(id))

        write(fresh(id, always))
      end
      true
    end

    # Makes jobs of what was being written when a disk was full, or when the
    # machine or a process came to its end: the name tells what is to be sent.
    # Who writes has the lock, so nobody is at work on these. Returns their IDs.
    def adopt
      return [] if unfinished.empty?

      locked { unfinished.map { |name| finish(name) } }
    end

    # Yields once a day, with the time since which this queue is kept. The first
    # day begins when it is asked first.
    def daily
      file = "#{@state}/looked"
      unless File.exist?(file)
        File.write(file, Time.now.to_i)
        return
      end
      return if (Time.now - File.mtime(file)).abs < DAY

      yield Time.at(File.read(file).to_i)
      File.utime(nil, nil, file)
    end

    def jobs(except: [])
      (Dir.children(@dir) - except).select { |id| Recording.word?(id) }.map { |id| read(id) }.compact.sort_by do |job|
        [job['always'] ? 0 : 1, -Recording.began(job['id']), job['id']]
      end
    end

    def read(id)
      job = JSON.parse(File.read(path(id)))
      job if job.is_a?(Hash) && job['id'] == id
    rescue Errno::ENOENT
      nil
    rescue JSON::ParserError # cut by a power failure
      { 'id' => id, 'queued' => '', 'always' => true, 'tries' => 0, 'next' => 0 }
    end

    # Keeps the changes of a job, unless it was noted anew meanwhile.
    def keep(job)
      current(job) do
        write(job)
      rescue NotKept # what is there already need not be adopted
        mine = Queue.unfinished_file(@dir, job['id'])
        File.unlink(mine) if File.exist?(mine)
        raise
      end
    end

    # Forgets a job that is done, unless it was noted anew meanwhile.
    def done(job)
      current(job) { File.unlink(path(job['id'])) }
    end

    # Sets a job back: the next try is in so many seconds, or after a wait that
    # grows from try to try.
    def postpone(job, error, seconds = nil)
      job['tries'] += 1
      seconds ||= [FIRST_WAIT * 2**[job['tries'] - 1, 6].min, LONGEST_WAIT].min
      job['next'] = Time.now.to_i + seconds
      job['error'] = error
      keep(job)
    end

    # What keeps everything from being sent: a text, and the time of the next
    # try. nil while nothing does.
    def trouble
      JSON.parse(File.read(trouble_file))
    rescue Errno::ENOENT, JSON::ParserError
      nil
    end

    # Notes what keeps everything from being sent; true if that is news, or cannot
    # be noted.
    def trouble!(text, seconds)
      before = trouble
      File.write(trouble_file, JSON.generate('text' => ScaleliteSend.text(text), 'next' => Time.now.to_i + seconds))
      before.nil? || before['text'] != ScaleliteSend.text(text)
    rescue SystemCallError
      true
    end

    # It is over; true if there was something.
    def trouble_over!
      File.unlink(trouble_file)
      true
    rescue Errno::ENOENT
      false
    end

    # Raises NotKept if no job can be noted now. A disk that is full may have had no
    # room for the trouble either.
    def try
      locked do
        Queue.write(@dir, TRIAL, ' ' * TRIAL_SIZE)
      ensure
        [Queue.unfinished_file(@dir, TRIAL), "#{@dir}/#{TRIAL}"].each { |file| File.unlink(file) if File.exist?(file) }
      end
    end

    # Runs the block as the only sender of this machine. Without wait it returns
    # false if there is one already.
    def alone(wait: false)
      File.open("#{@state}/sender.lock", File::RDONLY | File::CREAT, 0o644) do |f|
        unless f.flock(File::LOCK_EX | File::LOCK_NB)
          return false unless wait

          yield_to_other
          f.flock(File::LOCK_EX)
        end
        yield
        true
      end
    end

    private

    def yield_to_other
      puts 'Another sender is at work; waiting for it to finish ...'
    end

    def path(id)
      "#{@dir}/#{id}"
    end

    def fresh(id, always)
      { 'id' => id, 'queued' => SecureRandom.hex(8), 'always' => always, 'tries' => 0, 'next' => 0 }
    end

    def unfinished
      Dir.children(@dir).select { |name| name.valid_encoding? && UNFINISHED.match?(name) }
    end

    def trouble_file
      "#{@state}/trouble"
    end

    def locked(&block)
      File.open("#{@state}/queue.lock", File::RDONLY | File::CREAT, 0o644) do |f|
        f.flock(File::LOCK_EX)
        block.call
      end
    end

    # Makes a job of one that is unfinished, under the lock. Returns its ID.
    def finish(name)
      id = name[UNFINISHED, 1]
      write(fresh(id, true))
      File.unlink("#{@dir}/#{name}") if File.exist?("#{@dir}/#{name}")
      id
    end

    # Yields unless the job was noted anew since it was read. Who found no room to
    # do so left an unfinished one, which takes its place.
    def current(job)
      locked do
        there = read(job['id'])
        return unless there && there['queued'] == job['queued']

        unfinished = Queue.unfinished_file(@dir, job['id'])
        File.exist?(unfinished) ? finish(File.basename(unfinished)) : yield
      end
    end

    def write(job)
      Queue.write(@dir, job['id'], JSON.generate(job))
    end
  end
end
