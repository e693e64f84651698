#!/usr/bin/ruby
# frozen_string_literal: true

# BigBlueButton runs this after it has published a format of a recording, as
# "ruby scalelite_send.rb -m MEETING_ID [-f FORMAT]". The recording is noted in a
# queue and sent by a process of its own: whatever happens there, BigBlueButton
# goes on.
begin
  %w[settings recording queue].each { |name| require "/usr/local/lib/scalelite-send/#{name}" }

  at = ARGV.index { |arg| ['-m', '--meeting-id'].include?(arg) }
  id = at ? ARGV[at + 1] : ARGV.map { |arg| arg[/\A--meeting-id=(.*)/, 1] }.compact.first
  settings = ScaleliteSend::Settings.new
  log = ScaleliteSend::Log.new(settings.log_file)
  queue = ScaleliteSend::Queue.new(ScaleliteSend::Settings::STATE)
  if ScaleliteSend::Recording.word?(id.to_s)
    queue.add(id, always: true)
    # The parts of a recording that was cut have a number more in their names.
    parts = settings.trees.flat_map { |tree| Dir.glob("#{tree}/*/#{id}-*") }.map { |dir| File.basename(dir) }
    parts.uniq.select { |part| ScaleliteSend::Recording.word?(part) }.grep(/\A#{id}-\d+\z/).each { |part| queue.add(part, always: false) }
    log.info("#{id}: published here, is to be sent")
    # Not with the environment of BigBlueButton, which has gems of its own.
    pid = Process.spawn({ 'PATH' => '/usr/sbin:/usr/bin:/sbin:/bin' }, '/usr/local/bin/scalelite-send', 'run',
                        unsetenv_others: true, pgroup: true, in: File::NULL, out: File::NULL, err: File::NULL, chdir: '/')
    Process.detach(pid)
  else
    log.warn("the hook was called without the ID of a recording: #{ARGV.inspect}")
  end
rescue StandardError, LoadError => e
  warn "scalelite_send.rb: #{e.class}: #{e.message}"
end
exit(0)
