package bbb

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const fullMeeting = `<meeting><meetingName>Maths &amp; more</meetingName><meetingID>abc,1</meetingID><internalMeetingID>183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1531240585189</internalMeetingID>
<createTime>1531240585189</createTime><createDate>Tue Jul 10 16:36:25 UTC 2018</createDate><voiceBridge>70066</voiceBridge><dialNumber>613-555-1234</dialNumber>
<attendeePW>ap</attendeePW><moderatorPW>mp</moderatorPW><running>true</running><duration>0</duration><hasUserJoined>true</hasUserJoined><recording>false</recording>
<hasBeenForciblyEnded>false</hasBeenForciblyEnded><startTime>1531240585239</startTime><endTime>0</endTime><participantCount>25</participantCount><listenerCount>3</listenerCount>
<voiceParticipantCount>7</voiceParticipantCount><videoCount>2</videoCount><maxUsers>20</maxUsers><moderatorCount>1</moderatorCount>
<attendees><attendee><userID>w_2wzz</userID><fullName>&lt;meeting&gt;</fullName><role>MODERATOR</role><customdata><meeting>x</meeting><running>false</running></customdata></attendee></attendees>
<metadata><tenant-id>school1</tenant-id><bbb-context> a &#65; </bbb-context><empty/></metadata><isBreakout>false</isBreakout></meeting>`

const meetingsReply = "<response>\n<returncode>SUCCESS</returncode>\n<meetings>\n" + fullMeeting + `<meeting/>
<meeting><moderatorCount>x</moderatorCount><participantCount>-5</participantCount><videoCount>99999999999999999999</videoCount><listenerCount/><createTime>soon</createTime>
<isBreakout>TRUE</isBreakout><parentMeetingID>183f</parentMeetingID><endTime>1531240589999</endTime><meetingID><![CDATA[b<2]]></meetingID><running>yes</running></meeting>
</meetings><other><meeting><meetingID>no</meetingID></meeting></other></response>`

func TestMeetings(t *testing.T) {
	t.Parallel()
	reply, err := ParseReply("h", []byte(meetingsReply))
	if err != nil {
		t.Fatal(err)
	}
	got := reply.Meetings()
	if len(got) != 3 {
		t.Fatalf("%d meetings, want 3", len(got))
	}
	want := []Meeting{
		{
			MeetingID: "abc,1", InternalID: "183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1531240585189", Name: "Maths & more",
			CreateTime: time.UnixMilli(1531240585189).UTC(), VoiceBridge: "70066", ModeratorPW: "mp", AttendeePW: "ap",
			Participants: 25, Moderators: 1, Videos: 2, Voice: 7, Listeners: 3,
			Running: true, HasUserJoined: true, TenantID: "school1", Raw: []byte(fullMeeting),
		},
		{Raw: []byte("<meeting/>")},
		{MeetingID: "b<2", Breakout: true, ParentID: "183f", Ended: true},
	}
	want[2].Raw = got[2].Raw
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if raw := string(got[2].Raw); !strings.HasPrefix(raw, "<meeting><moderatorCount>x<") || !strings.HasSuffix(raw, "</running></meeting>") {
		t.Errorf("Raw of the third is %q", raw)
	}
	for key, want := range map[string]string{"tenant-id": "school1", "bbb-context": "a A", "empty": "", "missing": ""} {
		if v := got[0].Meta(key); v != want {
			t.Errorf("Meta(%s) = %q, want %q", key, v, want)
		}
	}
}

func TestMeetingsOfOtherAnswers(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{
		okReply,
		"<response><returncode>SUCCESS</returncode><meetings/><messageKey>noMeetings</messageKey></response>",
		"<response><returncode>SUCCESS</returncode><sessions><meeting><meetingID>x</meetingID></meeting></sessions></response>",
	} {
		reply, err := ParseReply("h", []byte(doc))
		if err != nil || len(reply.Meetings()) != 0 {
			t.Errorf("%s: %v, %v", doc, reply.Meetings(), err)
		}
	}
	if got := (Reply{Body: []byte("<response><meetings><meeting>")}).Meetings(); len(got) != 0 {
		t.Errorf("an unchecked body gives %v", got)
	}
}

func TestParseMeetingInfo(t *testing.T) {
	t.Parallel()
	doc := "<response><returncode>SUCCESS</returncode>" + strings.TrimSuffix(strings.TrimPrefix(fullMeeting, "<meeting>"), "</meeting>") + "</response>"
	reply, err := ParseReply("h", []byte("<?xml version=\"1.0\"?>\n"+doc))
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseMeetingInfo(reply)
	if err != nil || m.MeetingID != "abc,1" || m.Participants != 25 || m.TenantID != "school1" || string(m.Raw) != doc {
		t.Errorf("%+v, %v", m, err)
	}
	if m.Meta("bbb-context") != "a A" {
		t.Errorf("Meta = %q", m.Meta("bbb-context"))
	}
	for _, doc := range []string{okReply, string(ErrNotFound.XML())} {
		reply, _ := ParseReply("h", []byte(doc))
		if m, err := ParseMeetingInfo(reply); err == nil {
			t.Errorf("%s: %+v", doc, m)
		}
	}
}
