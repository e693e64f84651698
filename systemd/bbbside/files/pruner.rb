# frozen_string_literal: true

require 'fileutils'

module ScaleliteSend
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
        reason = recording && reason_to_keep(recording, keep_days, dry_run)
        if reason
          kept += 1
          puts "#{id}  kept: #{reason}" unless reason == :young
        elsif recording
          deleted += 1
          bytes += recording.bytes
          delete(recording) unless dry_run
          puts "#{id}  #{dry_run ? 'would be deleted' : 'deleted'}, #{recording.bytes} bytes"
        end
      rescue Balancer::NotTaken => e # about this one, and no other
        kept += 1
        puts "#{id}  kept: #{e.message}"
      end
      puts "#{deleted} #{dry_run ? 'would be deleted' : 'deleted'}, #{format('%.1f MB', bytes / 1e6)}; #{kept} kept."
      0
    end

    private

    def reason_to_keep(recording, keep_days, dry_run)
      return :young if recording.touched > Time.now - keep_days * 86_400
      return 'waits to be sent' if @queue.read(recording.id)
      return 'holds something that is no file' unless recording.formats.all? { |f| f.skipped.empty? }

      there = @balancer.recording(recording.id)
      return 'the load balancer does not have it' unless there && there['state'] # it may tell of an import alone
      return 'it was deleted on the load balancer' if there['state'] == 'deleted'
      return "the load balancer lacks files: #{@sender.differences(there, recording.sums)}" unless @sender.covers?(there, recording.sums)

      others = @sender.versions_differing(there, recording.stamps)
      send_again(recording, others, dry_run) unless others.empty?
    end

    # What was published or changed on this server since it was sent: nobody else
    # would send it, and it would be kept for ever.
    def send_again(recording, formats, dry_run)
      @queue.add(recording.id, always: false) unless dry_run
      "the load balancer has another version of #{formats.join(', ')}; this one #{dry_run ? 'would be' : 'is'} sent again"
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
